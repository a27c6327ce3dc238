"""One rule says whether a series is large enough for a chest, whatever its format."""

import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.grouping.series import group_instances
from hounsfield.preprocessing.extent import crop_rejection, size_rejection, stack_rejection
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.formats.nifti import describe_nifti
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from tests.preprocessing.dicom_files import read_instances, save_stack, stack_datasets
from tests.preprocessing.volumes import make_volume


@pytest.mark.parametrize(("slices", "spacing_mm"), [(8, 5.0), (8, 4.99999999), (400, 0.1)])
def test_8_slices_over_40_mm_are_long_enough(slices, spacing_mm):
    assert stack_rejection(slices, spacing_mm) is None


@pytest.mark.parametrize(("slices", "spacing_mm"), [(7, 10.0), (8, 4.9), (399, 0.09)])
def test_fewer_slices_or_a_shorter_stack_are_too_few(slices, spacing_mm):
    error = stack_rejection(slices, spacing_mm, "series.nii")
    assert (error.reason, error.path) == (Reason.TOO_FEW_SLICES, "series.nii")
    assert f"{slices} slices over {slices * spacing_mm:.1f} mm" in error.message
    assert "at least 8 slices and 40 mm" in error.message


def test_a_crop_of_less_than_150_mm_is_no_chest():
    assert crop_rejection((40, 512, 512), (0.3, 0.3, 1.0), "crop.mha") is None
    error = crop_rejection((40, 512, 256), (0.3, 0.3, 1.0), "crop.mha")
    assert (error.reason, error.path) == (Reason.NOT_CHEST, "crop.mha")
    assert "77 x 154 mm" in error.message


def test_the_same_small_field_of_view_is_read_from_dicom_and_refused_from_nifti(tmp_path):
    """A DICOM series has the field of view of a scanner, perhaps of an infant."""
    depths = [5.0 * n for n in range(12)]
    [series] = group_instances(read_instances(save_stack(stack_datasets(depths), tmp_path / "d")))
    assert series.rejection is None
    small = make_volume(shape_zyx=(12, 24, 20), spacing_mm=(1, 1, 5))
    with (tmp_path / "a.nii.gz").open("wb") as file:
        write_volume(small, file, VolumeFormat.NIFTI)
    rejection = describe_nifti(ByteSource(tmp_path / "a.nii.gz")).rejection
    assert rejection.reason is Reason.NOT_CHEST


def test_dicom_and_nifti_of_one_short_stack_are_refused_in_the_same_words(tmp_path):
    depths = [5.0 * n for n in range(7)]
    datasets = stack_datasets(depths, spacing_mm=(10.0, 10.0))
    [series] = group_instances(read_instances(save_stack(datasets, tmp_path / "d")))
    short = make_volume(shape_zyx=(7, 24, 20), spacing_mm=(10, 10, 5))
    with (tmp_path / "a.nii.gz").open("wb") as file:
        write_volume(short, file, VolumeFormat.NIFTI)
    nifti = describe_nifti(ByteSource(tmp_path / "a.nii.gz"))
    assert series.rejection.reason is nifti.rejection.reason is Reason.TOO_FEW_SLICES
    assert series.rejection.message == nifti.rejection.message


@pytest.mark.parametrize(
    ("shape_zyx", "reason"),
    [
        ((0, 512, 512), Reason.INCONSISTENT_GEOMETRY),
        ((-3, 20, 20), Reason.INCONSISTENT_GEOMETRY),
        ((2**21, 2**21, 2**21), Reason.IMPOSSIBLE_SIZE),
    ],
)
def test_an_impossible_shape_is_refused(shape_zyx, reason):
    error = size_rejection(shape_zyx, "a.mhd")
    assert (error.reason, error.path) == (reason, "a.mhd")


@pytest.mark.parametrize(
    ("shape_zyx", "spacing_mm"),
    [
        ((2000, 1024, 1024), (0.35, 0.35, 0.2)),  # a photon-counting scanner
        ((700, 512, 512), (1.52, 1.52, 3.0)),  # head to feet, beyond the bore
        ((512, 2200, 512), (1.0, 1.0, 0.8)),  # the same, stored in coronal planes
        ((300, 1024, 1024), (0.05, 0.05, 0.1)),  # the inner ear
    ],
)
def test_the_sizes_of_real_scanners_are_possible(shape_zyx, spacing_mm):
    assert size_rejection(shape_zyx, "a.mhd", spacing_mm=spacing_mm) is None


@pytest.mark.parametrize(
    ("shape_zyx", "spacing_mm", "words"),
    [
        ((80, 256, 256), (10, 10, 3.5), "2560 x 2560 x 280 mm: no patient is so large"),
        ((500, 512, 512), (0.7, 0.7, 5), "358.4 x 358.4 x 2500 mm"),
        ((80, 256, 256), (1.4, 1.4, 1e6), "no patient is so large"),
        ((80, 256, 256), (1.4, 1.4, 1e-6), "Voxels 1e-06 mm apart are finer than any CT"),
    ],
)
def test_a_body_that_cannot_be_is_an_impossible_size(shape_zyx, spacing_mm, words):
    error = size_rejection(shape_zyx, "a.mhd", spacing_mm=spacing_mm)
    assert (error.reason, error.path) == (Reason.IMPOSSIBLE_SIZE, "a.mhd")
    assert words in error.message
