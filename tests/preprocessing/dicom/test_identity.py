"""Who the patient is, and whether one instance is another, is more than a UID."""

import shutil

import numpy as np
import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.selection import by_study
from tests.preprocessing.dicom_files import (
    save_stack,
    series_of,
    set_pixels,
    stack_datasets,
)

DEPTHS = np.arange(12) * 5.0


def _patient(**attributes):
    return stack_datasets(DEPTHS, SliceThickness="5", **attributes)


@pytest.mark.parametrize("uids", ["kept", "blank", "half blank", "anew"])
@pytest.mark.parametrize("numbered", [True, False])
def test_two_patients_are_never_one_volume_whatever_the_uids(tmp_path, uids, numbered):
    datasets = []
    for patient, offset in (("A", 0.0), ("B", 2.5)):
        stack = stack_datasets(DEPTHS + offset, SliceThickness="5", PatientID=patient)
        for number, dataset in enumerate(stack):
            dataset.FrameOfReferenceUID = "1.2.3.4"
            dataset.InstanceNumber = 2 * number + (patient == "B")
            if not numbered:
                del dataset.InstanceNumber
            if uids == "blank" or (uids == "half blank" and patient == "B"):
                dataset.SeriesInstanceUID = ""
            elif uids == "anew":
                dataset.SeriesInstanceUID = f"1.2.{ord(patient)}.{number}"
        datasets += stack
    series = discover([save_stack(datasets, tmp_path)]).series
    assert [len(s.instances) for s in series] == [12, 12]
    for each in series:
        assert len({instance.patient for instance in each.instances}) == 1
    assert [len(study) for study in by_study(series).values()] == [1, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"PatientName": "XU^WEI"}, {"PatientName": "XUE^WEI"}),
        ({"PatientID": "A"}, {"PatientID": "B"}),
        ({"PatientName": "DOE^JOHN"}, {"PatientName": "ROE^JANE"}),
        ({"PatientBirthDate": "19500101"}, {"PatientBirthDate": "19500102"}),
        ({"PatientID": "X", "PatientName": "DOE^JOHN"}, {"PatientID": "X", "PatientName": "ROE^A"}),
    ],
)
def test_two_patients_under_one_study_uid_are_two_studies(tmp_path, first, second):
    save_stack(_patient(**first), tmp_path / "1")
    save_stack(_patient(**second), tmp_path / "2")
    series = discover([tmp_path]).series
    assert [s.rejection for s in series] == [None, None]
    assert [len(study) for study in by_study(series).values()] == [1, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"PatientID": "A"}, {"PatientID": ""}),
        ({"PatientID": "a "}, {"PatientID": "A"}),
        ({"PatientName": "DOE^JOHN"}, {"PatientName": "Doe^John^^^"}),
        ({"PatientName": "DOE^JOHN"}, {"PatientName": "DOE^JOHN^HENRY"}),
        ({"PatientID": "A", "PatientName": "DOE^JOHN"}, {"PatientID": "A", "PatientName": ""}),
    ],
)
def test_spellings_of_one_patient_are_one_study(tmp_path, first, second):
    lower, upper = _patient(**first)[:6], _patient(**second)[6:]
    (series,) = series_of(save_stack([*lower, *upper], tmp_path))
    assert series.shape_zyx[0] == 12


def test_a_folder_with_the_same_uids_and_other_pixels_is_no_copy(tmp_path):
    original = _patient()
    save_stack(original, tmp_path / "a")
    for dataset in original:
        set_pixels(dataset, np.full((dataset.Rows, dataset.Columns), 900))
    save_stack(original, tmp_path / "b")
    series = discover([tmp_path]).series
    assert [s.rejection for s in series] == [None, None]
    assert {s.sources[0].folder for s in series} == {str(tmp_path / "a"), str(tmp_path / "b")}


def test_slices_of_one_sop_instance_uid_in_two_folders_are_one_scan(tmp_path):
    datasets = _patient(SOPInstanceUID="1.2.3")
    save_stack(datasets[:6], tmp_path / "disc1")
    save_stack(datasets[6:], tmp_path / "disc2")
    (series,) = discover([tmp_path]).series
    assert series.shape_zyx[0] == 12


def test_a_folder_that_was_copied_is_a_duplicate(tmp_path):
    save_stack(_patient(), tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    first, second = discover([tmp_path]).series
    assert first.rejection is None
    assert second.rejection.reason is Reason.DUPLICATE_SERIES
    assert first.content_id == second.content_id


def test_the_content_of_a_series_does_not_depend_on_folder_and_names(tmp_path):
    datasets = _patient()
    save_stack(datasets, tmp_path / "a")
    save_stack(list(reversed(datasets)), tmp_path / "b" / "deeper")
    first, second = (series_of(tmp_path / name)[0] for name in ("a", "b"))
    assert first.content_id == second.content_id != ""


@pytest.mark.parametrize("what", ["pixels", "position", "patient"])
def test_other_images_under_the_same_uids_have_another_content(tmp_path, what):
    datasets = _patient()
    save_stack(datasets, tmp_path / "a")
    for number, dataset in enumerate(datasets):
        if what == "pixels":
            set_pixels(dataset, np.full((dataset.Rows, dataset.Columns), 900))
        elif what == "position":
            dataset.ImagePositionPatient = [0, 0, 5 * number + 1]
        else:
            dataset.PatientID = "another"
    save_stack(datasets, tmp_path / "b")
    first, second = (series_of(tmp_path / name)[0] for name in ("a", "b"))
    assert first.content_id != second.content_id


def test_no_identifier_is_made_from_the_name_of_a_file(tmp_path):
    datasets = stack_datasets(DEPTHS[:2], SeriesInstanceUID=None, StudyInstanceUID=None)
    for number, dataset in enumerate(datasets):
        dataset.save_as(tmp_path / f"DOE_JOHN_{number}.dcm", enforce_file_format=True)
    (series,) = series_of(tmp_path)
    assert series.facts.series_uid.startswith("series-")
    assert "DOE" not in series.facts.series_uid + series.facts.study_uid


def test_two_studies_under_one_series_uid_stay_two_where_their_slices_overlap(tmp_path):
    blank = {"PatientID": "", "FrameOfReferenceUID": "1.2.3"}
    save_stack(_patient(StudyInstanceUID="1.2.5", **blank), tmp_path / "1")
    save_stack(_patient(StudyInstanceUID="1.2.6", **blank), tmp_path / "2")
    assert len(by_study(discover([tmp_path]).series)) == 2
