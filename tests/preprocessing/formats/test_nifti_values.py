"""Voxels of NIfTI that are no HU become air or are refused, and damaged bytes are found."""

import gzip

import numpy as np
import pytest

from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from tests.preprocessing.formats.nifti_files import image_of, read, save
from tests.preprocessing.volumes import make_volume


def test_padding_below_any_hu_becomes_air(tmp_path):
    volume = make_volume()
    image = image_of(volume)
    np.asanyarray(image.dataobj)[0] = -2048
    again = read(save(image, tmp_path / "a.nii"))
    assert set(again.hu[:, :, 0].ravel()) == {-1000}
    assert [notice.code for notice in again.notices] == [NoticeCode.PADDING_REPLACED]


def test_nan_outside_the_field_of_view_is_padding(tmp_path):
    image = image_of(make_volume(), np.float32)
    np.asanyarray(image.dataobj)[:2] = np.nan
    volume = read(save(image, tmp_path / "a.nii"))
    assert set(volume.hu[:, :, :2].ravel()) == {-1000}
    assert [notice.code for notice in volume.notices] == [NoticeCode.PADDING_REPLACED]


@pytest.mark.parametrize("value", [np.nan, np.inf, 70000.0])
def test_values_that_cannot_be_hu_are_unreadable(tmp_path, value):
    image = image_of(make_volume(), np.float32)
    np.asanyarray(image.dataobj)[9, 9, 9] = value
    with pytest.raises(SeriesError, match="HU must") as raised:
        read(save(image, tmp_path / "a.nii"))
    assert raised.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("packed", [True, False])
def test_a_cut_file_is_truncated(tmp_path, packed):
    data = image_of(make_volume()).to_bytes()
    data = gzip.compress(data) if packed else data
    path = tmp_path / "a.nii"
    path.write_bytes(data[:-3000])
    with pytest.raises(SeriesError) as raised:
        read(path)
    assert raised.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda packed: packed[:9000] + b"\x05\x02" * 50 + packed[9100:], Reason.UNREADABLE),
        (lambda packed: packed[:-8] + bytes(4) + packed[-4:], Reason.UNREADABLE),
        (lambda packed: packed[:-8], Reason.TRUNCATED),
    ],
)
def test_the_checksum_behind_the_last_voxel_is_compared(tmp_path, change, reason):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(change(gzip.compress(image_of(make_volume()).to_bytes(), 0)))
    with pytest.raises(SeriesError) as raised:
        read(path)
    assert raised.value.reason is reason
