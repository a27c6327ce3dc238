from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import JPEG2000, JPEGLSLossless

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from tests.preprocessing.dicom_files import (
    codes_of,
    only_series,
    save,
    save_stack,
    series_of,
    set_pixels,
    stack_datasets,
)

DEPTHS = np.arange(12) * 5.0


def _with(datasets, **attributes):
    for dataset in datasets:
        for name, value in attributes.items():
            setattr(dataset, name, value)
    return datasets


def test_an_ordinary_series_is_accepted_with_its_geometry(tmp_path):
    series = only_series(save_stack(stack_datasets(DEPTHS, spacing_mm=(0.8, 0.7)), tmp_path))
    assert series.rejection is None
    assert series.shape_zyx == (12, 24, 20)
    assert series.spacing_mm == pytest.approx((0.7, 0.8, 5.0))
    assert series.orientation == "axial"
    assert series.path == tmp_path


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Modality": "MR"}, Reason.NOT_CT),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.128", "Modality": "PT"}, Reason.NOT_CT),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "Modality": "SR"}, Reason.NOT_CT),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, Reason.SECONDARY_CAPTURE),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, Reason.LOCALIZER),
        ({"ImageType": ["DERIVED", "PRIMARY", "MPR"]}, Reason.DERIVED),
        ({"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]}, Reason.DERIVED),
        ({"RescaleType": "Z_EFF"}, Reason.DERIVED),
    ],
)
def test_instances_that_are_not_original_ct_are_skipped_with_a_reason(tmp_path, attributes, reason):
    series = only_series(save_stack(_with(stack_datasets(DEPTHS), **attributes), tmp_path))
    assert series.rejection.reason is reason
    assert not series.readable
    assert Path(series.rejection.path).parent == tmp_path
    assert str(tmp_path) not in series.rejection.message


def test_derived_secondary_axial_ct_is_still_ct(tmp_path):
    datasets = _with(stack_datasets(DEPTHS), ImageType=["DERIVED", "SECONDARY", "AXIAL"])
    assert only_series(save_stack(datasets, tmp_path)).rejection is None


def test_a_missing_modality_is_inferred_from_the_sop_class(tmp_path):
    datasets = stack_datasets(DEPTHS, Modality=None)
    assert only_series(save_stack(datasets, tmp_path)).rejection is None


def test_an_unsupported_transfer_syntax_is_named(tmp_path):
    datasets = stack_datasets(DEPTHS, syntax=JPEGLSLossless)
    for dataset in datasets:
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
    rejection = only_series(save_stack(datasets, tmp_path)).rejection
    assert rejection.reason is Reason.UNSUPPORTED_ENCODING
    assert "1.2.840.10008.1.2.4.201" in rejection.message


def test_too_few_slices_are_skipped_but_readable(tmp_path):
    series = only_series(save_stack(stack_datasets(DEPTHS[:3]), tmp_path))
    assert series.rejection.reason is Reason.TOO_FEW_SLICES
    assert read_dicom_volume(series).shape_zyx == (3, 24, 20)


def test_slices_without_position_are_not_a_volume(tmp_path):
    datasets = stack_datasets(DEPTHS, ImagePositionPatient=None)
    series = only_series(save_stack(datasets, tmp_path))
    assert series.rejection.reason is Reason.NO_POSITION


def test_a_few_files_without_uids_are_one_series_of_their_folder(tmp_path):
    datasets = stack_datasets(DEPTHS[:2], SeriesInstanceUID=None, StudyInstanceUID=None)
    save_stack(datasets, tmp_path / "a")
    save_stack(datasets, tmp_path / "b")
    assert [len(series.instances) for series in series_of(tmp_path)] == [2, 2]


def test_exact_copies_are_dropped_with_a_notice(tmp_path):
    datasets = stack_datasets(DEPTHS)
    save_stack(datasets, tmp_path)
    for number in (2, 7):
        save(datasets[number], tmp_path / f"copy{number}.dcm")
    series = only_series(tmp_path)
    (notice,) = [n for n in series.notices if n.code == "duplicate_slices_dropped"]
    assert notice.numbers["slices"] == 2
    assert len(series.instances) == 12
    assert "duplicate_slices_dropped" in codes_of(read_dicom_volume(series).notices)


def test_copies_in_another_encoding_are_copies(tmp_path):
    save_stack(stack_datasets(DEPTHS), tmp_path / "raw")
    save_stack(stack_datasets(DEPTHS, syntax=JPEGLSLossless), tmp_path / "compressed")
    series = only_series(tmp_path)
    assert "duplicate_slices_dropped" in codes_of(series.notices)
    assert series.shape_zyx[0] == 12


def test_different_images_at_one_position_are_split_into_acquisitions(tmp_path):
    first = _with(stack_datasets(DEPTHS), AcquisitionNumber=1)
    second = _with(stack_datasets(DEPTHS, intercept=-1000), AcquisitionNumber=2)
    for dataset in second:
        dataset.RescaleIntercept = "-990"
    save_stack(first, tmp_path / "a")
    save_stack(second, tmp_path / "b")
    first, second = series_of(tmp_path)
    assert first.facts.series_uid + "#2" == second.facts.series_uid
    difference = read_dicom_volume(second).hu.astype(int) - read_dicom_volume(first).hu
    assert (difference == 10).all()


def test_acquisitions_without_numbers_are_separated_by_their_order(tmp_path):
    first = stack_datasets(DEPTHS[4:9])
    second = _with(stack_datasets(DEPTHS), RescaleIntercept="-1014")
    for number, dataset in enumerate([*first, *second], start=1):
        dataset.InstanceNumber = number
    save_stack(first, tmp_path / "a")
    save_stack(second, tmp_path / "b")
    first, second = series_of(tmp_path)
    assert (len(first.instances), len(second.instances)) == (12, 5)
    assert {i.frames[0].rescale_intercept for i in first.instances} == {-1014.0}


def test_acquisitions_that_nothing_distinguishes_are_refused(tmp_path):
    first = stack_datasets(DEPTHS)
    second = stack_datasets(DEPTHS[[2, 5, 9]])
    for dataset in second:
        set_pixels(dataset, np.full((dataset.Rows, dataset.Columns), 1000))
    save_stack(_with([*first, *second], InstanceNumber=1), tmp_path)
    series = only_series(tmp_path)
    assert series.rejection.reason is Reason.INCONSISTENT_GEOMETRY


def test_a_time_series_at_one_table_position_is_not_a_volume(tmp_path):
    datasets = []
    for number in range(12):
        datasets += _with(stack_datasets([7.0]), RescaleIntercept=str(-1024 + number))
    series = only_series(save_stack(datasets, tmp_path))
    assert series.rejection.reason is Reason.DUPLICATE_SERIES
    assert "12 different images" in series.rejection.message
    assert not series.readable


def test_two_orientations_in_one_series_are_two_series(tmp_path):
    save_stack(stack_datasets(DEPTHS), tmp_path / "axial")
    coronal = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
    save_stack(stack_datasets(DEPTHS[:9], axes=coronal), tmp_path / "coronal")
    assert [s.orientation for s in series_of(tmp_path)] == ["axial", "coronal"]


def test_a_localizer_inside_a_series_is_a_part_of_its_own(tmp_path):
    save_stack(stack_datasets(DEPTHS), tmp_path / "ct")
    scout = stack_datasets([0.0], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    save_stack(scout, tmp_path / "scout")
    volume, localizer = series_of(tmp_path)
    assert volume.rejection is None
    assert localizer.rejection.reason is Reason.LOCALIZER
    assert localizer.facts.series_uid.endswith("#2")


def test_lossy_slices_are_noted(tmp_path):
    datasets = stack_datasets(DEPTHS, LossyImageCompression="01")
    series = only_series(save_stack(datasets, tmp_path))
    assert "lossy_compression" in codes_of(series.notices)
    assert series.facts.lossy


def test_jpeg_2000_irreversible_is_lossy_by_its_syntax(tmp_path):
    datasets = stack_datasets(DEPTHS, syntax=JPEGLSLossless)
    for dataset in datasets:
        dataset.file_meta.TransferSyntaxUID = JPEG2000
    assert only_series(save_stack(datasets, tmp_path)).facts.lossy


def test_a_wrong_spacing_between_slices_is_a_header_conflict(tmp_path):
    datasets = stack_datasets(DEPTHS, SpacingBetweenSlices="0.625")
    series = only_series(save_stack(datasets, tmp_path))
    assert series.spacing_mm[2] == pytest.approx(5.0)
    assert "header_conflict" in codes_of(series.notices)


def test_a_single_slice_takes_its_depth_from_its_thickness(tmp_path):
    datasets = stack_datasets([3.0], SliceThickness="2.5", SpacingBetweenSlices="99")
    series = only_series(save_stack(datasets, tmp_path))
    assert series.spacing_mm[2] == 2.5
    assert "spacing_inferred" in codes_of(series.notices)


def test_a_missing_slice_thickness_is_noted(tmp_path):
    series = only_series(save_stack(stack_datasets(DEPTHS, SliceThickness=None), tmp_path))
    assert series.rejection is None
    assert "spacing_inferred" in codes_of(series.notices)


def test_a_pixel_spacing_that_makes_the_sheared_volume_huge_allocates_nothing(tmp_path):
    tilted = stack_datasets(
        np.arange(0, 60, 5.0), shape=(16, 16), spacing_mm=(0.001, 0.001), shift_mm=(0.3, 0.3)
    )
    series = only_series(save_stack(tilted, tmp_path))
    assert series.rejection.reason is Reason.IMPOSSIBLE_SIZE
    assert "0.001 mm apart are finer than any CT" in series.rejection.message
    assert not series.readable


def test_slices_that_are_all_damaged_alike_are_one_row(tmp_path):
    datasets = stack_datasets(DEPTHS)
    for dataset in datasets:
        dataset.Columns -= 1
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.rejection.reason is Reason.UNREADABLE
    assert "(and 11 more like it)" in series.rejection.message


def test_the_other_half_of_a_scan_in_another_matrix_is_told_with_its_range(tmp_path):
    upper = stack_datasets(DEPTHS[6:], shape=(12, 10), spacing_mm=(2.0, 2.0))
    save_stack([*stack_datasets(DEPTHS[:6]), *upper], tmp_path)
    first, _ = series_of(tmp_path)
    (notice,) = [n for n in first.notices if n.code == "header_conflict"]
    assert "6 slices at z 30.0 to 55.0 mm (other Rows and Columns" in notice.message


def test_slices_of_a_negative_spacing_are_one_row(tmp_path):
    datasets = stack_datasets(DEPTHS)
    for dataset in datasets:
        dataset.PixelSpacing = ["-1", "-1"]
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.rejection.reason is Reason.INCONSISTENT_GEOMETRY
