"""A volume holds one patient, frame of reference, acquisition, time, phase, kernel and rescale."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import SeriesError
from tests.preprocessing.dicom_files import codes_of, save_stack, series_of, stack_datasets

STEP_MM = 5.0
SHAPE = (10, 8)

DIFFERENCES = {
    "patient id": {"PatientID": "P2"},
    "patient name": {"PatientID": "", "PatientName": "TWO^PATIENT"},
    "birth date": {"PatientID": "", "PatientBirthDate": "19610101"},
    "frame of reference": {"FrameOfReferenceUID": "1.2.3.9"},
    "acquisition": {"AcquisitionNumber": 2},
    "a quarter of an hour": {"AcquisitionTime": "121500"},
    "ten seconds": {"AcquisitionTime": "120010.5"},
    "another day": {"AcquisitionDate": "20240102"},
    "temporal position": {"TemporalPositionIdentifier": 2},
    "phase of the heart": {"TriggerTime": "450"},
    "kernel": {"ConvolutionKernel": "B70f"},
    "voltage": {"KVP": "140"},
    "rescale": {"RescaleIntercept": "-1000"},
}
USUAL = {
    "PatientID": "P1",
    "PatientName": "ONE^PATIENT",
    "PatientBirthDate": "19500101",
    "FrameOfReferenceUID": "1.2.3.4",
    "AcquisitionNumber": 1,
    "AcquisitionDate": "20240101",
    "AcquisitionTime": "120000",
    "TemporalPositionIdentifier": 1,
    "TriggerTime": "50",
    "ConvolutionKernel": "B31f",
    "KVP": "120",
}


@st.composite
def two_stacks(draw):
    """Two stacks under one SeriesInstanceUID that differ in one or more header values."""
    names = draw(st.sets(st.sampled_from(sorted(DIFFERENCES)), min_size=1, max_size=2))
    return {
        "difference": {key: value for name in names for key, value in DIFFERENCES[name].items()},
        "blank_id": any("PatientID" in DIFFERENCES[name] for name in names - {"patient id"}),
        "counts": (draw(st.integers(8, 12)), draw(st.integers(4, 12))),
        "offset_mm": draw(st.sampled_from([0.0, 0.3, 1.7, 2.5, 5.0, 22.5, 60.0, -60.0])),
        "sideways_mm": draw(st.sampled_from([0.0, 0.0, 12.0])),
        "numbered": draw(st.sampled_from(["through", "again", "not"])),
        "seed": draw(st.integers(0, 999)),
    }


def _stack(count, offset_mm, sideways_mm, attributes):
    datasets = stack_datasets(
        np.arange(count) * STEP_MM + offset_mm, shape=SHAPE, SliceThickness="5", **attributes
    )
    for dataset in datasets:
        dataset.ImagePositionPatient[0] = float(dataset.ImagePositionPatient[0]) + sideways_mm
    return datasets


def _two_series(stacks, folder):
    usual = dict(USUAL, **({"PatientID": ""} if stacks["blank_id"] else {}))
    first = _stack(stacks["counts"][0], 0.0, 0.0, usual)
    second = _stack(
        stacks["counts"][1],
        stacks["offset_mm"],
        stacks["sideways_mm"],
        {**usual, **stacks["difference"]},
    )
    for number, dataset in enumerate([*first, *second], start=1):
        if stacks["numbered"] == "through":
            dataset.InstanceNumber = number
        elif stacks["numbered"] == "not":
            del dataset.InstanceNumber
    every = [*first, *second]
    order = np.random.default_rng(stacks["seed"]).permutation(len(every))
    save_stack([every[index] for index in order], folder)
    return [{dataset.SOPInstanceUID for dataset in stack} for stack in (first, second)]


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(two_stacks())
def test_two_stacks_are_never_one_volume(stacks):
    with tempfile.TemporaryDirectory() as name:
        originals = _two_series(stacks, Path(name))
        for series in series_of(Path(name)):
            if series.rejection is None or series.readable:
                uids = {instance.sop_instance_uid for instance in series.instances}
                assert any(uids <= original for original in originals)


@pytest.mark.parametrize("difference", sorted(DIFFERENCES))
def test_two_scans_between_one_another_are_two_parts(tmp_path, difference):
    stacks = {
        "difference": DIFFERENCES[difference],
        "blank_id": DIFFERENCES[difference].get("PatientID") == "",
        "counts": (12, 12),
        "offset_mm": STEP_MM / 2,
        "sideways_mm": 0.0,
        "numbered": "through",
        "seed": 1,
    }
    _two_series(stacks, tmp_path)
    series = series_of(tmp_path)
    assert [s.shape_zyx[0] for s in series] == [12, 12]
    assert [s.rejection for s in series] == [None, None]


def test_a_part_that_is_analysed_tells_which_part_is_not(tmp_path):
    lower = _stack(10, 0.0, 0.0, USUAL)
    upper = _stack(12, 50.0, 0.0, {**USUAL, "FrameOfReferenceUID": "1.2.3.9"})
    save_stack([*lower, *upper], tmp_path)
    first, second = series_of(tmp_path)
    (notice,) = [n for n in first.notices if n.code == "header_conflict"]
    assert "10 slices at z 0.0 to 45.0 mm (other FrameOfReferenceUID" in notice.message
    assert notice.numbers == {"parts": 1, "slices": 10, "from_z_mm": 0.0, "to_z_mm": 45.0}
    assert notice in read_dicom_volume(first).notices
    assert second.facts.series_uid == first.facts.series_uid + "#2"


def test_slices_of_another_kernel_leave_a_hole(tmp_path):
    datasets = _stack(40, 0.0, 0.0, USUAL)
    datasets[20].ConvolutionKernel = "B70f"
    save_stack(datasets, tmp_path)
    series, other = series_of(tmp_path)
    volume = read_dicom_volume(series)
    assert {"missing_slices_filled", "header_conflict"} <= codes_of(volume.notices)
    assert other.rejection.reason is Reason.TOO_FEW_SLICES


def test_a_value_that_a_few_slices_lack_splits_nothing(tmp_path):
    datasets = _stack(12, 0.0, 0.0, USUAL)
    for dataset in datasets[3:6]:
        dataset.ConvolutionKernel = dataset.KVP = None
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 12


def test_shots_between_which_the_table_moved_are_one_scan(tmp_path):
    datasets = _stack(16, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        dataset.AcquisitionNumber = 1 + number // 4
        dataset.AcquisitionTime = f"1200{10 * (number // 4):02d}"
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 16


def test_wide_shots_on_one_grid_are_one_scan(tmp_path):
    datasets = _stack(48, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        dataset.AcquisitionNumber = 1 + number // 16
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 48


def test_times_in_whole_seconds_of_a_helical_scan_split_nothing(tmp_path):
    datasets = _stack(40, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        dataset.AcquisitionTime = f"1200{3 - number // 10:02d}"
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 40


@pytest.mark.parametrize("keyword", ["AcquisitionTime", "ContentTime"])
@pytest.mark.parametrize("turns_back", [False, True])
def test_phases_at_the_same_places_are_told_apart_by_their_time(tmp_path, keyword, turns_back):
    usual = {**USUAL, "AcquisitionTime": None}
    usual.pop("AcquisitionTime")
    first, second = _stack(12, 0.0, 0.0, usual), _stack(12, 0.0, 0.0, usual)
    for dataset in second:
        dataset.PixelData = bytes(len(dataset.PixelData))
    in_time = [*first, *(reversed(second) if turns_back else second)]
    for number, dataset in enumerate(in_time):
        setattr(dataset, keyword, f"1200{number:02d}")
        del dataset.InstanceNumber
    save_stack(in_time, tmp_path)
    originals = [{d.SOPInstanceUID for d in stack} for stack in (first, second)]
    found = [{i.sop_instance_uid for i in series.instances} for series in series_of(tmp_path)]
    assert sorted(map(sorted, found)) == sorted(map(sorted, originals))


def test_phases_that_only_chance_would_tell_apart_are_refused(tmp_path):
    first, second = _stack(12, 0.0, 0.0, USUAL), _stack(12, 0.0, 0.0, USUAL)
    for dataset in [*first, *second]:
        del dataset.InstanceNumber
    for dataset in second:
        dataset.PixelData = bytes(len(dataset.PixelData))
    (series,) = series_of(save_stack([*first, *second], tmp_path))
    assert series.rejection.reason is Reason.INCONSISTENT_GEOMETRY
    assert not series.readable


def test_slices_that_are_counted_twice_over_are_refused_or_two(tmp_path):
    first, second = _stack(12, 0.0, 0.0, USUAL), _stack(12, STEP_MM / 2, 0.0, USUAL)
    (series,) = series_of(save_stack([*first, *second], tmp_path / "mixed"))
    assert series.rejection.reason is Reason.INCONSISTENT_GEOMETRY
    assert "InstanceNumber (0020,0013)" in series.rejection.message
    save_stack(first, tmp_path / "apart" / "a")
    save_stack(second, tmp_path / "apart" / "b")
    assert [s.shape_zyx[0] for s in series_of(tmp_path / "apart")] == [12, 12]


@pytest.mark.parametrize("kind", ["frames", "studies and series", "blank"])
def test_identifiers_made_anew_for_each_file_are_told_and_left_aside(tmp_path, kind):
    datasets = _stack(12, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        if kind == "frames":
            dataset.FrameOfReferenceUID = f"1.2.3.{number}"
        elif kind == "blank":
            dataset.StudyInstanceUID = dataset.SeriesInstanceUID = ""
        else:
            dataset.StudyInstanceUID = f"1.2.{number}"
            dataset.SeriesInstanceUID = f"1.2.{number}.1"
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 12
    assert "header_conflict" in codes_of(read_dicom_volume(series).notices)
    assert "." not in series.facts.series_uid or kind == "frames"


def test_two_scans_without_identifiers_in_one_folder_are_one_reason(tmp_path):
    usual = {**USUAL, "SeriesInstanceUID": "", "StudyInstanceUID": ""}
    other = {**usual, "AcquisitionTime": "123000"}
    save_stack([*_stack(12, 0.0, 0.0, usual), *_stack(12, 2.5, 0.0, other)], tmp_path)
    (series,) = series_of(tmp_path)
    assert series.rejection.reason is Reason.INCONSISTENT_GEOMETRY
    assert "SeriesInstanceUID (0020,000E)" in series.rejection.message
    assert len(series.instances) == 24


def _interleaved(numbers, *left_out):
    """Two scans half a step apart, whose slices have these numbers."""
    first, other = _stack(12, 0.0, 0.0, USUAL), _stack(12, STEP_MM / 2, 0.0, USUAL)
    for dataset in other:
        for keyword in left_out:
            delattr(dataset, keyword)
    for number, dataset in zip(numbers, [*first, *other], strict=True):
        dataset.InstanceNumber = number
    return [*first, *other]


def test_a_scan_between_the_slices_of_another_is_told_by_its_numbers_alone(tmp_path):
    save_stack(_interleaved(range(1, 25)), tmp_path)
    assert [s.shape_zyx[0] for s in series_of(tmp_path)] == [12, 12]


def test_slices_that_are_numbered_through_are_one_scan_whatever_a_writer_left_out(tmp_path):
    through = [*range(1, 25, 2), *range(2, 26, 2)]
    datasets = _interleaved(through, "KVP", "ConvolutionKernel", "AcquisitionNumber")
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 24


@pytest.mark.parametrize("date", ["20240101", "20240102", None])
def test_a_scan_may_go_on_after_midnight(tmp_path, date):
    datasets = _stack(20, 0.0, 0.0, {**USUAL, "AcquisitionTime": "235959"})
    for number, dataset in enumerate(datasets):
        if number >= 10:
            dataset.AcquisitionTime = "000001"
        if date is None:
            del dataset.AcquisitionDate
        elif number >= 10:
            dataset.AcquisitionDate = date
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 20


def test_images_of_one_scan_may_be_made_in_any_order_and_with_pauses(tmp_path):
    datasets = _stack(20, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        del dataset.AcquisitionTime
        dataset.ContentTime = f"12{30 if number < 10 else 10}{number:02d}"
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 20


def test_gated_shots_with_times_of_their_own_are_one_scan(tmp_path):
    datasets = _stack(48, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        dataset.AcquisitionNumber = 1 + number // 16
        dataset.TriggerTime = str(400 + 3 * (number // 16))
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 48


@pytest.mark.parametrize("kind", ["own folders", "by twos", "half blank", "two studies"])
def test_a_spoilt_uid_is_mended_by_patient_frame_and_geometry(tmp_path, kind):
    datasets = _stack(24, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        folder = tmp_path / (str(number) if kind == "own folders" else "all")
        if kind == "own folders" or (kind == "half blank" and number % 2):
            dataset.SeriesInstanceUID = ""
        elif kind == "by twos":
            dataset.SeriesInstanceUID = f"1.2.{number // 2}"
        elif kind == "two studies" and number >= 12:
            dataset.StudyInstanceUID = "1.2.3.4.5"
        save_stack([dataset], folder / str(number))
    (series,) = series_of(tmp_path)
    assert series.shape_zyx[0] == 24
    assert "header_conflict" in codes_of(read_dicom_volume(series).notices)


def test_a_few_positions_with_two_different_images_cost_these_slices_alone(tmp_path):
    datasets = _stack(20, 0.0, 0.0, USUAL)
    annotated = _stack(1, 45.0, 0.0, USUAL)
    annotated[0].InstanceNumber = 10
    annotated[0].PixelData = bytes(len(annotated[0].PixelData))
    (series,) = series_of(save_stack([*datasets, *annotated], tmp_path))
    volume = read_dicom_volume(series)
    assert volume.filled_slices == (9,)
    (notice,) = [n for n in volume.notices if n.code == "missing_slices_filled"]
    assert "Another image has the same position" in notice.message


def test_slices_of_several_kernels_are_never_one_volume(tmp_path):
    datasets = _stack(20, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets[14:]):
        dataset.ConvolutionKernel = f"B{40 + number}f"
    for series in series_of(save_stack(datasets, tmp_path)):
        assert len({instance.acquisitions[0].kernel for instance in series.instances}) == 1


def test_a_second_scan_that_no_header_tells_apart_is_told_by_its_pixels(tmp_path):
    rng = np.random.default_rng(3)
    scene = rng.normal(0, 200, (40, 40)).repeat(4, axis=0).repeat(4, axis=1)
    datasets = _stack(24, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        moved = np.roll(scene, 12 * (number % 2), axis=0) + rng.normal(0, 20, scene.shape)
        dataset.Rows, dataset.Columns = scene.shape
        dataset.PixelData = (moved + 1024).clip(0).astype("<u2").tobytes()
        del dataset.InstanceNumber
    (series,) = series_of(save_stack(datasets, tmp_path))
    with pytest.raises(SeriesError, match="Every other slice is of another scan") as caught:
        read_dicom_volume(series)
    assert caught.value.reason is Reason.INCONSISTENT_GEOMETRY


def test_numbers_in_the_order_of_file_names_tear_no_scan(tmp_path):
    datasets = _stack(99, 0.0, 0.0, USUAL)
    for number, name in enumerate(sorted(map(str, range(99)))):
        datasets[int(name)].InstanceNumber = number + 1
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 99


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("SliceThickness", ["5", "5.00001"]),
        ("ConvolutionKernel", ["B31f", "B31F"]),
        ("Manufacturer", ["MAKER", None]),
        ("ImageType", [["ORIGINAL", "PRIMARY", "AXIAL"], ["ORIGINAL", "PRIMARY", "AXIAL", "X"]]),
        ("PatientBirthDate", ["19500101", "1950.01.01"]),
        ("PatientID", ["004711", "4711"]),
        ("AcquisitionTime", ["120000", None]),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_two_spellings_of_one_value_split_nothing(tmp_path, keyword, values):
    datasets = _stack(24, 0.0, 0.0, USUAL)
    for number, dataset in enumerate(datasets):
        setattr(dataset, keyword, values[number % 2])
    (series,) = series_of(save_stack(datasets, tmp_path))
    assert series.shape_zyx[0] == 24


@pytest.mark.parametrize("times", [["12:00:00", "12:15:00"], ["120000", "121500"]])
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_times_of_old_forms_and_dummy_moments_still_separate_scans(tmp_path, times):
    first, second = (
        _stack(12, offset, 0.0, {**USUAL, "AcquisitionTime": time})
        for offset, time in zip((0.0, 60.0), times, strict=True)
    )
    for dataset in [*first, *second]:
        dataset.AcquisitionDateTime = "19000101000000"
    assert len(series_of(save_stack([*first, *second], tmp_path))) == 2
