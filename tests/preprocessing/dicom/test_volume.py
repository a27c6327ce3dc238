import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage, JPEGLSLossless

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import SeriesError
from tests.preprocessing.dicom_files import (
    AXIAL,
    codes_of,
    field_hu,
    largest_error_hu,
    only_series,
    plane_hu,
    save,
    save_stack,
    slice_dataset,
    stack_datasets,
)

DEPTHS = np.arange(12) * 5.0


def _volume(folder):
    return read_dicom_volume(only_series(folder))


def test_slices_are_ordered_by_position_not_by_name_or_number(tmp_path):
    datasets = stack_datasets(DEPTHS)[::-1]
    for number, dataset in enumerate(np.random.default_rng(3).permutation(12)):
        datasets[number].InstanceNumber = int(dataset)
    volume = _volume(save_stack(datasets, tmp_path))
    assert volume.spacing_mm == pytest.approx((1, 1, 5))
    assert largest_error_hu(volume) <= 0.5


@pytest.mark.parametrize(
    "axes",
    [
        ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
        ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
        ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        ((0.6, 0.8, 0.0), (-0.48, 0.36, 0.8)),
    ],
    ids=["sagittal", "coronal", "feet first", "oblique"],
)
def test_every_orientation_is_positioned_as_its_header_says(tmp_path, axes):
    volume = _volume(save_stack(stack_datasets(DEPTHS, axes=axes), tmp_path))
    columns = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-9)
    assert np.linalg.det(columns) == pytest.approx(1)
    assert largest_error_hu(volume) <= 0.5


def test_each_slice_has_its_own_rescale(tmp_path):
    datasets = stack_datasets(DEPTHS)
    for number, dataset in enumerate(datasets):
        dataset.RescaleIntercept = str(-1024 + number)
    volume = _volume(save_stack(datasets, tmp_path))
    offsets = volume.hu[:, 5, 5] - field_hu(volume.world_mm([[5, 5, z] for z in range(12)]))
    np.testing.assert_allclose(offsets, np.arange(12), atol=0.5)


def test_a_few_missing_slices_are_filled_and_noted(tmp_path):
    datasets = stack_datasets(np.delete(np.arange(20) * 1.5, [4, 11, 12]))
    for number, dataset in enumerate(datasets, start=1):
        dataset.InstanceNumber = number
    volume = _volume(save_stack(datasets, tmp_path))
    (notice,) = [n for n in volume.notices if n.code == "missing_slices_filled"]
    assert notice.numbers["missing"] == 3
    assert notice.numbers["missing_z_mm"] == "6.00, 16.50, 18.00"
    names = sorted((path.name for path in tmp_path.iterdir()), key=_number)
    for place, below in (("6.0", 3), ("16.5", 9), ("18.0", 9)):
        files = f"{names[below]} and {names[below + 1]}"
        assert f"at z {place} mm, between {files}" in notice.message
    assert volume.shape_zyx[0] == 20
    assert volume.filled_slices == (4, 11, 12)
    assert len(volume.source_frames) == 17
    assert largest_error_hu(volume) <= 4.0


def _number(name):
    return int(name.split("-")[1].removesuffix(".dcm"))


def test_the_position_of_a_missing_tilted_slice_follows_its_neighbours(tmp_path):
    depths = np.delete(np.arange(20) * 2.0, 4)
    axes = ((1.0, 0.0, 0.0), (0.0, np.cos(0.3), np.sin(0.3)))
    table = (0.0, np.tan(0.3))  # the table moves along z, the slices are oblique to it
    volume = _volume(save_stack(stack_datasets(depths, axes=axes, shift_mm=table), tmp_path))
    (notice,) = [n for n in volume.notices if n.code == "missing_slices_filled"]
    assert float(notice.numbers["missing_z_mm"]) == pytest.approx(8 / np.cos(0.3), abs=0.01)


def test_slices_that_cannot_be_decoded_count_as_missing(tmp_path):
    datasets = stack_datasets(DEPTHS, syntax=JPEGLSLossless)
    datasets[4].PixelData = datasets[4].PixelData[:60] + b"\0" * 8 + datasets[4].PixelData[68:]
    save_stack(datasets, tmp_path)
    volume = _volume(tmp_path)
    (notice,) = [n for n in volume.notices if n.code == "missing_slices_filled"]
    assert "-4.dcm" in notice.message
    assert volume.shape_zyx[0] == 12


def test_truncated_slices_count_as_missing_and_are_named(tmp_path):
    save_stack(stack_datasets(DEPTHS), tmp_path)
    (path,) = tmp_path.glob("*-6.dcm")
    path.write_bytes(path.read_bytes()[:-100])
    volume = _volume(tmp_path)
    (notice,) = [n for n in volume.notices if n.code == "missing_slices_filled"]
    assert path.name in notice.message
    assert "cut off" in notice.message
    assert volume.shape_zyx[0] == 12
    assert len(volume.source_frames) == 11
    assert str(tmp_path) not in notice.message
    assert notice.path == str(path)


def test_more_truncated_slices_fail_the_series(tmp_path):
    save_stack(stack_datasets(DEPTHS), tmp_path)
    for path in list(tmp_path.glob("*.dcm"))[:4]:
        path.write_bytes(path.read_bytes()[:-100])
    series = only_series(tmp_path)
    assert series.rejection.reason is Reason.TRUNCATED
    with pytest.raises(SeriesError, match="4 of 12 slices cannot be read"):
        read_dicom_volume(series)


def test_uneven_spacing_is_resampled_from_true_positions(tmp_path):
    depths = [0, 2, 4.5, 6.5, 8.5, 11.5, 13.5, 15.5, 18, 20]
    volume = _volume(save_stack(stack_datasets(depths, SliceThickness="2.5"), tmp_path))
    assert "uneven_spacing" in codes_of(volume.notices)
    assert largest_error_hu(volume) <= 6.0


def test_a_tilted_stack_is_sheared_back(tmp_path):
    tilt = np.tan(np.radians(18.5))
    volume = _volume(save_stack(stack_datasets(DEPTHS, shift_mm=(0, tilt)), tmp_path))
    (notice,) = [n for n in volume.notices if n.code == "gantry_tilt_corrected"]
    assert notice.numbers["degrees"] == pytest.approx(18.5)
    columns = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-9)
    assert volume.shape_zyx[1] > 24
    assert largest_error_hu(volume) <= 2.0


def test_the_gantry_tilt_tag_is_ignored(tmp_path):
    volume = _volume(save_stack(stack_datasets(DEPTHS, GantryDetectorTilt="18.5"), tmp_path))
    assert "gantry_tilt_corrected" not in codes_of(volume.notices)


def test_source_frames_keep_their_tilted_position(tmp_path):
    shift = np.tan(np.radians(10))
    datasets = stack_datasets(DEPTHS, shift_mm=(0, shift))
    volume = _volume(save_stack(datasets, tmp_path))
    place = np.array([6.0, 12.0, 20.0])
    pixel = volume.source_pixel(place)
    assert pixel.sop_instance_uid == datasets[4].SOPInstanceUID
    assert (pixel.column, pixel.row) == pytest.approx((6.0, 12.0 - 20 * shift), abs=1e-6)


def test_an_enhanced_multi_frame_instance_is_a_volume(tmp_path):
    depths = (np.arange(12) * 2.5)[::-1]
    dataset = _enhanced(depths)
    save(dataset, tmp_path / "enhanced.dcm")
    series = only_series(tmp_path)
    volume = read_dicom_volume(series)
    assert series.shape_zyx == volume.shape_zyx == (12, 24, 20)
    assert [frame.frame_number for frame in volume.source_frames] == list(range(12, 0, -1))
    assert largest_error_hu(volume) <= 0.5


def _enhanced(depths):
    """An Enhanced CT instance with positions and rescale in functional groups only."""
    frames = [plane_hu((0, 0, depth), AXIAL, (1, 1), (24, 20)) for depth in depths]
    dataset = slice_dataset(frames[0])
    dataset.SOPClassUID = EnhancedCTImageStorage
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(dataset, name)
    for name in ("RescaleSlope", "RescaleIntercept", "SliceThickness"):
        delattr(dataset, name)
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = (np.stack(frames).astype(np.int32) + 1024).astype("<u2").tobytes()
    shared, measures, orientation, rescale = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [1, 1], 2.5
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1, -1024, "HU"
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.PixelValueTransformationSequence = Sequence([rescale])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for depth in depths:
        position, group = Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, depth]
        group.PlanePositionSequence = Sequence([position])
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    return dataset
