"""HU are read right where header or pixels make it certain, or the slice is refused."""

import numpy as np
import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.instance import read_instance
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.sources import ByteSource
from tests.preprocessing.dicom_files import (
    codes_of,
    field_hu,
    largest_error_hu,
    only_series,
    save,
    save_stack,
    series_of,
    set_pixels,
    slice_dataset,
    stack_datasets,
)

DEPTHS = np.arange(40) * 2.0


def _volume(datasets, folder):
    return read_dicom_volume(only_series(save_stack(datasets, folder)))


def _conflicts(volume):
    return [n.message for n in volume.notices if n.code == "header_conflict"]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"RescaleSlope": None, "RescaleIntercept": None}, "are missing"),
        ({"RescaleIntercept": None}, "RescaleIntercept (0028,1052) is missing"),
        ({"RescaleIntercept": "n/a"}, "cannot be read: 'n/a'"),
        ({"RescaleIntercept": "-1,024"}, "cannot be read: '-1,024'"),
        ({"RescaleSlope": "1\\2"}, "cannot be read: '1\\\\2'"),
        ({"RescaleSlope": "0"}, "is 0"),
    ],
)
def test_a_rescale_that_is_missing_or_makes_no_sense_is_never_1_and_0(tmp_path, attributes, words):
    datasets = stack_datasets(DEPTHS)
    for dataset in datasets:
        for keyword, value in attributes.items():
            _write_text(dataset, keyword, value)
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.rejection.reason is Reason.HU_UNKNOWN
    assert words in series.rejection.message
    with pytest.raises(SeriesError, match=r"\(0028,105[23]\)"):
        read_dicom_volume(series)


def _write_text(dataset, keyword, value):
    """Sets an element to any text, also one that its value representation does not allow."""
    if value is None:
        delattr(dataset, keyword)
        return
    dataset[keyword].VR = "LT"
    dataset[keyword].value = value


def test_a_decimal_comma_is_read_as_a_point_with_a_notice(tmp_path):
    datasets = stack_datasets(DEPTHS, intercept=-1000)
    for dataset in datasets:
        _write_text(dataset, "RescaleIntercept", "-1000,0")
        _write_text(dataset, "PixelSpacing", "1,0\\1,0")
    volume = _volume(datasets, tmp_path)
    assert largest_error_hu(volume) <= 1
    assert any("decimal comma" in message for message in _conflicts(volume))


def test_a_value_that_is_there_and_makes_no_sense_is_not_told_as_missing(tmp_path):
    datasets = stack_datasets(DEPTHS)
    for dataset in datasets:
        _write_text(dataset, "ImagePositionPatient", "here\\there\\0")
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.rejection.reason is Reason.NO_POSITION
    assert "cannot be read: 'here" in series.rejection.message


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("RescaleIntercept", "0"), ("RescaleIntercept", "-1000"), ("RescaleSlope", "2")],
)
def test_one_slice_whose_rescale_its_pixels_contradict_is_interpolated(tmp_path, keyword, value):
    datasets = stack_datasets(DEPTHS)
    setattr(datasets[20], keyword, value)
    volume = _volume(datasets, tmp_path)
    (notice,) = [n for n in volume.notices if n.code == "missing_slices_filled"]
    assert f"{keyword} (0028,105" in notice.message
    assert largest_error_hu(volume) <= 3


def test_one_slice_without_a_rescale_is_interpolated(tmp_path):
    datasets = stack_datasets(DEPTHS)
    del datasets[20].RescaleIntercept
    volume = _volume(datasets, tmp_path)
    assert "missing_slices_filled" in codes_of(volume.notices)
    assert largest_error_hu(volume) <= 3


def test_slices_of_another_rescale_that_fit_are_read_by_their_own_header(tmp_path):
    datasets = stack_datasets(DEPTHS)
    for dataset in datasets[20:24]:
        hu = dataset.pixel_array.astype(int) - 1024
        dataset.RescaleIntercept = "-1200"
        set_pixels(dataset, hu + 1200)
    volume = _volume(datasets, tmp_path)
    assert largest_error_hu(volume) <= 1
    (message,) = _conflicts(volume)
    assert "In 4 slice(s) the pixel format is another" in message


@pytest.mark.parametrize(
    ("bits_stored", "high_bit", "words"),
    [(12, 13, "HighBit (0028,0102) is 13"), (10, 9, "BitsStored (0028,0101) is 10")],
)
def test_a_range_of_bits_that_the_pixels_contradict_is_left_aside(
    tmp_path, bits_stored, high_bit, words
):
    datasets = stack_datasets(DEPTHS, BitsStored=bits_stored, HighBit=high_bit)
    volume = _volume(datasets, tmp_path)
    assert largest_error_hu(volume) <= 1
    assert any(words in message for message in _conflicts(volume))


def test_values_in_the_upper_bits_are_shifted_down(tmp_path):
    datasets = stack_datasets(DEPTHS, BitsStored=12, HighBit=15)
    for dataset in datasets:
        set_pixels(dataset, dataset.pixel_array.astype(int) << 4)
    assert largest_error_hu(_volume(datasets, tmp_path)) <= 1


def test_an_overlay_above_the_bits_stored_is_cleared(tmp_path):
    datasets = stack_datasets(DEPTHS, BitsStored=12, HighBit=11)
    for dataset in datasets:
        stored = dataset.pixel_array.astype(int)
        stored[5:9, 3:12] |= 0x1000
        set_pixels(dataset, stored)
    volume = _volume(datasets, tmp_path)
    assert largest_error_hu(volume) <= 1
    assert any("cleared as an overlay" in message for message in _conflicts(volume))


@pytest.mark.parametrize(
    ("rows", "columns", "allocated"), [(32, 29, 16), (31, 30, 16), (32, 15, 16), (32, 30, 8)]
)
def test_pixel_data_longer_than_the_header_asks_for_is_refused(tmp_path, rows, columns, allocated):
    rows_mm, columns_mm = np.mgrid[:32, :30]
    hu = np.rint(field_hu(np.stack([columns_mm, rows_mm, 0 * rows_mm], -1))).astype(np.int16)
    dataset = slice_dataset(hu)
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = rows, columns, allocated
    instance = read_instance(ByteSource(save(dataset, tmp_path / "a.dcm")))
    assert instance.damage.reason is Reason.UNREADABLE
    assert "PixelData (7FE0,0010) has 1920" in instance.damage.message


def test_a_byte_of_padding_after_the_pixels_is_no_matter(tmp_path):
    dataset = slice_dataset(np.zeros((33, 31), np.int16))
    dataset.PixelData += b"\0\0"
    assert read_instance(ByteSource(save(dataset, tmp_path / "a.dcm"))).damage is None
