"""NIfTI comes out as the same volume as the DICOM of the same data, or is refused."""

import contextlib
import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.formats import checks
from hounsfield.preprocessing.formats.nifti import describe_nifti, read_nifti
from hounsfield.preprocessing.formats.nifti_header import nifti_header_bytes
from tests.preprocessing.volumes import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    PRONE,
    SAGITTAL,
    make_volume,
)

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def image_of(volume, dtype=np.int16, kind=nib.Nifti1Image):
    return kind(volume.hu.transpose(2, 1, 0).astype(dtype), RAS @ volume.affine)


def save(image, path):
    nib.save(image, path)
    return path


def describe(path):
    return describe_nifti(ByteSource(path))


def read(path):
    return read_nifti(describe(path))


def assert_same(volume, again):
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-4)


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


def test_padding_below_any_hu_becomes_air(tmp_path):
    volume = make_volume()
    image = image_of(volume)
    np.asanyarray(image.dataobj)[0] = -2048
    again = read(save(image, tmp_path / "a.nii"))
    assert set(again.hu[:, :, 0].ravel()) == {-1000}
    assert [notice.code for notice in again.notices] == [NoticeCode.PADDING_REPLACED]


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


def test_a_time_series_is_refused_and_a_fourth_axis_of_one_is_not(tmp_path):
    affine = np.diag([7.0, 8, 5, 1])
    with pytest.raises(SeriesError, match=r"4 axes \(28 x 24 x 20 x 3\)"):
        describe(save(nib.Nifti1Image(np.zeros((28, 24, 20, 3), "i2"), affine), tmp_path / "t.nii"))
    one = make_volume().hu.transpose(2, 1, 0)[..., np.newaxis]
    path = save(nib.Nifti1Image(one, affine), tmp_path / "one.nii")
    assert read(path).shape_zyx == (20, 24, 28)


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


@pytest.mark.parametrize("packed", [True, False])
def test_a_cut_file_is_truncated(tmp_path, packed):
    data = image_of(make_volume()).to_bytes()
    data = gzip.compress(data) if packed else data
    path = tmp_path / "a.nii"
    path.write_bytes(data[:-3000])
    with pytest.raises(SeriesError) as raised:
        read(path)
    assert raised.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("value", [np.nan, np.inf, 70000.0])
def test_values_that_cannot_be_hu_are_unreadable(tmp_path, value):
    image = image_of(make_volume(), np.float32)
    np.asanyarray(image.dataobj)[9, 9, 9] = value
    with pytest.raises(SeriesError, match="HU must") as raised:
        read(save(image, tmp_path / "a.nii"))
    assert raised.value.reason is Reason.UNREADABLE


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


def test_nan_outside_the_field_of_view_is_padding(tmp_path):
    image = image_of(make_volume(), np.float32)
    np.asanyarray(image.dataobj)[:2] = np.nan
    volume = read(save(image, tmp_path / "a.nii"))
    assert set(volume.hu[:, :, :2].ravel()) == {-1000}
    assert [notice.code for notice in volume.notices] == [NoticeCode.PADDING_REPLACED]


def saved_with(tmp_path, name="a.nii", **fields):
    """A file whose header fields were overwritten."""
    image = image_of(make_volume())
    image.set_sform(None, code=0)
    image.set_qform(RAS @ make_volume().affine, code="scanner")
    data = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(data[:348]), check=False)
    for field, value in fields.items():
        header[field] = value
    data[:348] = header.binaryblock
    path = tmp_path / name
    path.write_bytes(gzip.compress(bytes(data)) if name.endswith("gz") else bytes(data))
    return path


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


def test_a_file_of_several_gzip_members_and_bytes_behind_them_is_read(tmp_path):
    data = image_of(make_volume()).to_bytes()
    parts = [gzip.compress(data[at : at + 5000]) for at in range(0, len(data), 5000)]
    (tmp_path / "a.nii.gz").write_bytes(b"".join(parts) + bytes(512))
    assert_same(make_volume(), read(tmp_path / "a.nii.gz"))


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


def test_a_short_axial_scan_that_is_stored_as_coronal_slices_is_no_crop(tmp_path):
    upright = nib.Nifti1Image(
        np.full((100, 100, 40), -900, np.int16), np.diag([3.0, 3.0, 2.5, 1.0])
    )
    coronal = upright.as_reoriented(np.array([[0, 1], [2, 1], [1, 1]]))
    series = describe(save(coronal, tmp_path / "coronal.nii"))
    assert series.shape_zyx == (100, 40, 100)
    assert series.rejection is None
