"""A NIfTI header that lies or contradicts itself is refused, or told of where it does no harm."""

import contextlib
import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from tests.preprocessing.formats.nifti_files import (
    RAS,
    assert_same,
    describe,
    image_of,
    read,
    save,
    saved_with,
)
from tests.preprocessing.volumes import make_volume


def test_an_affine_without_a_code_is_no_position(tmp_path):
    image = image_of(make_volume())
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    with pytest.raises(SeriesError, match="both 0") as raised:
        describe(save(image, tmp_path / "a.nii.gz"))
    assert raised.value.reason is Reason.NO_POSITION


def test_a_sheared_affine_is_refused(tmp_path):
    affine = np.diag([7.0, 8, 5, 1])
    affine[1, 2] = 5 * np.tan(np.radians(14))
    image = nib.Nifti1Image(np.zeros((28, 24, 20), np.int16), affine)
    image.set_sform(affine, code="scanner")
    with pytest.raises(SeriesError, match="right angles") as raised:
        describe(save(image, tmp_path / "tilted.nii"))
    assert raised.value.reason is Reason.INCONSISTENT_GEOMETRY


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_header_that_promises_too_much_is_truncated_without_reading(tmp_path, name):
    data = bytearray(image_of(make_volume()).to_bytes())
    data[42:48] = np.array([150, 140, 440], "<i2").tobytes()
    data[352:] = np.random.default_rng(0).bytes(800) if name.endswith("gz") else data[352:]
    path = tmp_path / name
    path.write_bytes(gzip.compress(bytes(data)) if name.endswith("gz") else bytes(data))
    with pytest.raises(SeriesError, match="150 x 140 x 440 voxels need") as raised:
        describe(path)
    assert raised.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("qfac", [0, 1, 0.5, np.nan])
def test_a_qfac_that_is_not_negative_means_1(tmp_path, qfac):
    path = saved_with(tmp_path, pixdim=[qfac, 7, 8, 5, 0, 0, 0, 0])
    assert_same(make_volume(), read(path))


@pytest.mark.parametrize("pixdim", [[1, -7, 8, 5], [1, 7, 0, 5], [1, 7, 8, np.nan]])
def test_a_qform_without_a_spacing_is_refused(tmp_path, pixdim):
    with pytest.raises(SeriesError, match="qform is not a rotation with a spacing") as raised:
        describe(saved_with(tmp_path, pixdim=[*pixdim, 0, 0, 0, 0]))
    assert raised.value.reason is Reason.INCONSISTENT_GEOMETRY


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("offset", [1e38, np.nan, -400, np.inf])
def test_an_offset_outside_the_file_is_unreadable(tmp_path, name, offset):
    with pytest.raises(SeriesError, match="vox_offset") as raised:
        describe(saved_with(tmp_path, name, vox_offset=offset))
    assert raised.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize(("slope", "intercept"), [(np.inf, 0), (1, np.nan), (2, -np.inf)])
def test_a_rescale_that_is_no_number_is_never_taken_as_none(tmp_path, slope, intercept):
    with pytest.raises(SeriesError, match="scl_slope and scl_inter must be finite") as raised:
        describe(saved_with(tmp_path, scl_slope=slope, scl_inter=intercept))
    assert raised.value.reason is Reason.HU_UNKNOWN


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.integers(0, 347),
    with_bytes=st.binary(min_size=1, max_size=8),
    code=st.sampled_from(["sform", "qform"]),
)
def test_no_header_brings_about_another_exception(tmp_path, at, with_bytes, code):
    image = image_of(make_volume())
    image.set_sform(RAS @ make_volume().affine, code=int(code == "sform"))
    image.set_qform(RAS @ make_volume().affine, code=int(code == "qform"))
    data = bytearray(image.to_bytes())
    data[at : at + len(with_bytes)] = with_bytes
    (tmp_path / "a.nii").write_bytes(data)
    with contextlib.suppress(SeriesError):
        read(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda sform: sform @ np.diag([1, 1, 4 / 3, 1]), "spacing is 7 x 8 x 6.667 mm, the qform"),
        (lambda sform: sform + np.eye(4, k=3) * 5, "a corner of the volume 5 mm apart"),
        (lambda sform: np.diag([-1, 1, 1, 1]) @ sform, "a corner of the volume"),
    ],
)
def test_transforms_that_contradict_each_other_are_refused(tmp_path, change, words):
    image = image_of(make_volume())
    image.set_qform(RAS @ make_volume().affine, code="scanner")
    image.set_sform(change(RAS @ make_volume().affine), code="scanner")
    with pytest.raises(SeriesError, match="contradict each other") as raised:
        describe(save(image, tmp_path / "a.nii"))
    assert raised.value.reason is Reason.INCONSISTENT_GEOMETRY
    assert words in raised.value.message


def test_a_spacing_in_pixdim_alone_that_contradicts_the_sform_is_a_notice(tmp_path):
    volume = make_volume()
    image = image_of(volume)
    image.set_qform(None, code=0)
    image.set_sform(RAS @ volume.affine, code="scanner")
    image.header["pixdim"][3] = 3.75
    again = read(save(image, tmp_path / "a.nii"))
    assert_same(volume, again)
    [notice] = again.notices
    assert notice.code is NoticeCode.HEADER_CONFLICT
    assert "7 x 8 x 5 mm, pixdim says 7 x 8 x 3.75 mm" in notice.message


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_plane_behind_the_last_voxel_is_refused_and_less_is_a_notice(tmp_path, name):
    data = image_of(make_volume()).to_bytes()
    path = tmp_path / name

    def write(rest):
        whole = data + bytes(rest)
        path.write_bytes(gzip.compress(whole) if name.endswith("gz") else whole)

    write(100)
    assert [notice.code for notice in read(path).notices] == [NoticeCode.HEADER_CONFLICT]
    write(20 * 24 * 2)
    with pytest.raises(SeriesError, match="bytes follow the 28 x 24 x 20 voxels") as raised:
        read(path)
    assert raised.value.reason is Reason.INCONSISTENT_GEOMETRY
