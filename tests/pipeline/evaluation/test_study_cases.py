"""The classes of a run's studies are evaluated against a table of true classes."""

import json

import pytest

from hounsfield.pipeline.evaluation.classification.command import classification_command
from hounsfield.pipeline.evaluation.classification.study_cases import read_study_cases
from hounsfield.preprocessing.errors import UsageError

WORKLIST = """\
study_uid,series_uid,patient_id,largest_diameter_mm,study_class,p_adenocarcinoma,\
p_large_cell_carcinoma,p_squamous_cell_carcinoma,p_normal,confidence_band
1,1.1,A,12.0,adenocarcinoma,0.7,0.1,0.1,0.1,review
2,2.1,,,normal,,,,,
3,3.1,B,9.0,normal,0.1,0.1,0.1,0.7,review
4,4.1,,,,,,,,
"""


@pytest.fixture
def worklist(tmp_path):
    path = tmp_path / "worklist.csv"
    path.write_text(WORKLIST)
    return path


def ground_truth(folder, rows):
    path = folder / "truth.csv"
    path.write_text("study_uid,true_class\n" + rows)
    return path


def test_studies_in_both_tables_are_evaluated_and_the_others_reported(worklist, tmp_path):
    truth = ground_truth(tmp_path, "1,adenocarcinoma\n2,normal\n4,normal\n7,normal\n")
    cases, notices = read_study_cases(worklist, truth)
    assert cases.true_class.tolist() == [0, 3]
    assert cases.probabilities.tolist() == [[0.7, 0.1, 0.1, 0.1], [0, 0, 0, 1]]
    assert cases.patient.tolist() == [1, 0]  # the second study is its own patient, "2"
    counts = {notice.code: notice.model_dump()["studies"] for notice in notices}
    assert counts == {"studies_without_finding": 1, "studies_missing": 2}


def test_the_command_evaluates_the_studies_of_a_run(worklist, tmp_path):
    truth = ground_truth(tmp_path, "1,adenocarcinoma\n2,normal\n3,large_cell_carcinoma\n")
    classification_command(predictions=worklist, truth=truth, out=tmp_path / "out", resamplings=20)
    document = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert document["cases"] == 3
    assert [row[3] for row in document["model"]["confusion_matrix"]] == [0, 1, 0, 1]
    assert "studies_without_finding" in [notice["code"] for notice in document["notices"]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,adeno\n", r"truth.csv, row 2, column true_class: must be one of .* got 'adeno'"),
        ("1,normal\n1,normal\n", r"truth.csv, row 3, column study_uid: .* no earlier row"),
        ("8,normal\n", r"worklist.csv: must hold at least one analysed study of .*truth.csv"),
    ],
)
def test_errors_in_the_ground_truth_name_file_row_and_column(worklist, tmp_path, rows, message):
    with pytest.raises(UsageError, match=message):
        read_study_cases(worklist, ground_truth(tmp_path, rows))
