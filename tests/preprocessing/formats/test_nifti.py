"""NIfTI comes out as the same volume as the DICOM of the same data, or is refused as no CT."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats import checks
from hounsfield.preprocessing.formats.nifti_header import nifti_header_bytes
from tests.preprocessing.formats.nifti_files import RAS, assert_same, describe, image_of, read, save
from tests.preprocessing.volumes import AXIAL, CORONAL, OBLIQUE, PRONE, SAGITTAL, make_volume


@pytest.mark.parametrize("directions", [AXIAL, PRONE, CORONAL, SAGITTAL, OBLIQUE])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("code", ["sform", "qform"])
def test_a_file_written_by_nibabel_reads_as_the_same_volume(tmp_path, directions, name, code):
    volume = make_volume(directions)
    image = image_of(volume)
    image.set_sform(RAS @ volume.affine, code="scanner" if code == "sform" else "unknown")
    image.set_qform(RAS @ volume.affine, code="scanner" if code == "qform" else "unknown")
    assert_same(volume, read(save(image, tmp_path / name)))


def test_a_file_written_by_itk_reads_as_the_same_volume(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    volume = make_volume(OBLIQUE)
    image = sitk.GetImageFromArray(volume.hu)
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin(volume.affine[:3, 3].tolist())
    image.SetDirection((volume.affine[:3, :3] / np.asarray(volume.spacing_mm)).ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "a.nii.gz"))
    assert_same(volume, read(tmp_path / "a.nii.gz"))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_reversed_axis_is_reversed_back(tmp_path, axis):
    volume = make_volume()
    image = image_of(volume)
    flips = [[n, -1 if n == axis else 1] for n in range(3)]
    assert_same(volume, read(save(image.as_reoriented(flips), tmp_path / "a.nii")))


def test_reversed_rows_are_reversed_back_in_other_planes(tmp_path):
    volume = make_volume(CORONAL)
    image = image_of(volume).as_reoriented([[0, 1], [1, -1], [2, 1]])
    assert_same(volume, read(save(image, tmp_path / "a.nii")))


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64])
def test_other_data_types_give_the_same_hu(tmp_path, dtype):
    volume = make_volume()
    assert_same(volume, read(save(image_of(volume, dtype), tmp_path / "a.nii.gz")))


def test_slope_and_intercept_are_applied(tmp_path):
    volume = make_volume()
    stored = ((volume.hu.astype(float) + 1024) / 0.5).astype(np.uint16).transpose(2, 1, 0)
    image = nib.Nifti1Image(stored, RAS @ volume.affine)
    image.header.set_slope_inter(0.5, -1024)
    assert_same(volume, read(save(image, tmp_path / "a.nii")))


def test_nifti_2_big_endian_and_metres_are_read(tmp_path):
    volume = make_volume()
    assert_same(volume, read(save(image_of(volume, kind=nib.Nifti2Image), tmp_path / "a.nii")))
    header = nib.Nifti1Header(endianness=">")
    array = volume.hu.transpose(2, 1, 0)
    assert_same(
        volume, read(save(nib.Nifti1Image(array, RAS @ volume.affine, header), tmp_path / "b.nii"))
    )
    metres = np.diag([1e-3, 1e-3, 1e-3, 1]) @ RAS @ volume.affine
    image = nib.Nifti1Image(array, metres)
    image.header.set_xyzt_units("meter")
    assert_same(volume, read(save(image, tmp_path / "c.nii")))


def test_a_time_series_is_refused_and_a_fourth_axis_of_one_is_not(tmp_path):
    affine = np.diag([7.0, 8, 5, 1])
    with pytest.raises(SeriesError, match=r"4 axes \(28 x 24 x 20 x 3\)"):
        describe(save(nib.Nifti1Image(np.zeros((28, 24, 20, 3), "i2"), affine), tmp_path / "t.nii"))
    one = make_volume().hu.transpose(2, 1, 0)[..., np.newaxis]
    path = save(nib.Nifti1Image(one, affine), tmp_path / "one.nii")
    assert read(path).shape_zyx == (20, 24, 28)


def test_a_file_of_several_gzip_members_and_bytes_behind_them_is_read(tmp_path):
    data = image_of(make_volume()).to_bytes()
    parts = [gzip.compress(data[at : at + 5000]) for at in range(0, len(data), 5000)]
    (tmp_path / "a.nii.gz").write_bytes(b"".join(parts) + bytes(512))
    assert_same(make_volume(), read(tmp_path / "a.nii.gz"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_a_mask_is_recognised_by_its_header(tmp_path, dtype):
    series = describe(save(image_of(make_volume(), dtype), tmp_path / "mask.nii.gz"))
    assert series.rejection.reason is Reason.NOT_CT
    assert not series.readable


def test_a_file_that_compresses_too_well_for_ct_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "RATIO_FREE_BYTES", 2**16)
    image = nib.Nifti1Image(np.zeros((100, 100, 50), "i2"), np.diag([3.0, 3, 5, 1]))
    series = describe(save(image, tmp_path / "bomb.nii.gz"))
    assert series.rejection.reason is Reason.NOT_CT
    assert "never packs so well" in series.rejection.message
    assert not series.readable


def test_a_colour_image_is_not_ct(tmp_path):
    colour = np.zeros((28, 24, 20), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    with pytest.raises(SeriesError, match="not a scalar number") as raised:
        describe(save(nib.Nifti1Image(colour, np.diag([7.0, 8, 5, 1])), tmp_path / "rgb.nii"))
    assert raised.value.reason is Reason.NOT_CT


def test_a_pair_of_files_is_refused(tmp_path):
    nib.save(nib.Nifti1Pair(np.zeros((28, 24, 20), "i2"), np.eye(4)), tmp_path / "a.hdr")
    with pytest.raises(SeriesError, match="pair") as raised:
        describe(tmp_path / "a.hdr")
    assert raised.value.reason is Reason.UNSUPPORTED_ENCODING


def test_content_decides_not_the_name():
    assert not nifti_header_bytes(gzip.compress(b"text" * 400))
    assert not nifti_header_bytes(b"\x5c\x01\0\0" + bytes(2000))
    assert nifti_header_bytes(image_of(make_volume()).to_bytes()[:2048])


def test_a_short_axial_scan_that_is_stored_as_coronal_slices_is_no_crop(tmp_path):
    upright = nib.Nifti1Image(
        np.full((100, 100, 40), -900, np.int16), np.diag([3.0, 3.0, 2.5, 1.0])
    )
    coronal = upright.as_reoriented(np.array([[0, 1], [2, 1], [1, 1]]))
    series = describe(save(coronal, tmp_path / "coronal.nii"))
    assert series.shape_zyx == (100, 40, 100)
    assert series.rejection is None
