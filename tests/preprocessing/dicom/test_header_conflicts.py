"""Header values that contradict positions or pixels are told, and the better witness is used."""

import numpy as np
import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.pixels.hu_scale import scale_rejection
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import SeriesError
from tests.preprocessing.dicom_files import only_series, save_stack, set_pixels, stack_datasets

DEPTHS = np.arange(12) * 5.0


def _conflicts(folder, change, **keywords):
    datasets = stack_datasets(DEPTHS, SliceThickness="5", **keywords)
    for number, dataset in enumerate(datasets):
        change(number, dataset)
    volume = read_dicom_volume(only_series(save_stack(datasets, folder)))
    return [notice.message for notice in volume.notices if notice.code == "header_conflict"]


def _located(step, first=0.0):
    def change(number, dataset):
        dataset.SliceLocation = f"{first + number * step:.4f}"

    return change


@pytest.mark.parametrize("step", [5.0, -5.0])
def test_slice_locations_may_count_from_anywhere_and_either_way(tmp_path, step):
    assert _conflicts(tmp_path, _located(step, first=1234.5)) == []


def test_slice_locations_that_are_all_the_same_say_nothing(tmp_path):
    assert _conflicts(tmp_path, _located(0.0)) == []


def test_slice_locations_of_a_tilted_stack_may_count_along_the_table(tmp_path):
    angle = 0.3
    axes = ((1.0, 0.0, 0.0), (0.0, np.cos(angle), np.sin(angle)))
    along_z = _located(5.0 / np.cos(angle))
    assert _conflicts(tmp_path, along_z, axes=axes, shift_mm=(0.0, np.tan(angle))) == []


def test_positions_that_slice_locations_contradict_are_told(tmp_path):
    (message,) = _conflicts(tmp_path, _located(0.5))
    assert "it is 5.5 mm by SliceLocation (0020,1041), 55 mm by ImagePositionPatient" in message


@pytest.mark.parametrize(("diameter", "told"), [("20", 0), ("24", 0), ("19.8", 0), ("200", 1)])
def test_pixels_that_the_field_of_view_contradicts_are_told(tmp_path, diameter, told):
    def change(_number, dataset):
        dataset.ReconstructionDiameter = diameter

    assert len(_conflicts(tmp_path, change)) == told


def test_a_series_that_lies_where_no_table_reaches_is_refused(tmp_path):
    datasets = stack_datasets(DEPTHS)
    for dataset in datasets:
        dataset.ImagePositionPatient[0] = "1e9"
    series = only_series(save_stack(datasets, tmp_path))
    assert series.rejection.reason is Reason.INCONSISTENT_GEOMETRY
    assert "no table reaches further than 10000 mm" in series.rejection.message


def test_a_wide_image_without_air_is_no_hu():
    hu = np.full((8, 64, 64), 40, np.int16)
    assert scale_rejection(hu, 400).reason is Reason.HU_UNKNOWN
    assert scale_rejection(hu, 200) is None
    hu[:, :8] = -990
    assert scale_rejection(hu, 400) is None


@pytest.mark.parametrize(("intercept", "is_refused"), [("-1024", False), ("-2048", True)])
def test_a_rescale_that_was_applied_twice_is_no_hu(tmp_path, intercept, is_refused):
    rng = np.random.default_rng(1)
    datasets = stack_datasets(DEPTHS)
    for dataset in datasets:
        hu = np.where(rng.random((24, 20)) < 0.4, -850, 40) + rng.normal(0, 20, (24, 20))
        set_pixels(dataset, np.rint(hu).astype(int) + 1024)
        dataset.RescaleIntercept = intercept
    series = only_series(save_stack(datasets, tmp_path))
    if is_refused:
        with pytest.raises(SeriesError, match="were HU before RescaleIntercept") as caught:
            read_dicom_volume(series)
        assert caught.value.reason is Reason.HU_UNKNOWN
    else:
        read_dicom_volume(series)
