"""Tables as people write them, and one clear sentence where they are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from hounsfield.pipeline.evaluation.luna16.input_tables import (
    read_findings,
    read_predictions,
    read_scan_facts,
    read_scan_list,
)
from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.evaluation.challenge_tables import PREDICTION_HEADER, evaluated, written

ROWS = [("a", 1, 2, 3, 0.5), ("b", -4, 5.5, 6, 0.25)]


@pytest.fixture
def scans(tmp_path):
    return read_scan_list(written(tmp_path / "series.csv", [["a"], ["b"]]))


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("header", [None, PREDICTION_HEADER, "uid,x,y,z,score"])
def test_comma_or_tab_with_or_without_header_read_the_same(tmp_path, scans, delimiter, header):
    predictions = read_predictions(written(tmp_path / "m", ROWS, header, delimiter), scans)
    assert predictions.scan.tolist() == [0, 1]
    assert predictions.centre_world_mm.tolist() == [[1, 2, 3], [-4, 5.5, 6]]
    assert predictions.score.tolist() == [0.5, 0.25]


def test_columns_of_a_header_are_found_in_any_order(tmp_path, scans):
    path = written(
        tmp_path / "m", [(0.5, 3, 2, 1, "x", "a")], "probability,coordZ,coordY,coordX,by,seriesuid"
    )
    predictions = read_predictions(path, scans)
    assert predictions.centre_world_mm.tolist() == [[1, 2, 3]]


def test_windows_line_ends_blank_lines_and_a_byte_order_mark_are_read(tmp_path, scans):
    path = tmp_path / "m"
    path.write_bytes(b"\xef\xbb\xbf" + PREDICTION_HEADER.encode() + b"\r\n\r\na,1,2,3,0.5\r\n")
    assert read_predictions(path, scans).row_number == [3]


@pytest.mark.parametrize("list_rows", [[(0, "a"), (1, "b")], [("a", 0), ("b", 1)]])
def test_numbers_stand_for_scans_through_a_list(tmp_path, list_rows):
    series = written(tmp_path / "series.csv", [["a"], ["b"]])
    scans = read_scan_list(series, written(tmp_path / "ids.csv", list_rows))
    predictions = read_predictions(
        written(tmp_path / "m", [("001", 1, 2, 3, 0.5)], PREDICTION_HEADER), scans
    )
    assert predictions.scan.tolist() == [1]


def test_findings_on_unlisted_scans_are_dropped(tmp_path, scans):
    rows = [("a", 1, 2, 3, 4), ("elsewhere", 1, 2, 3, 4)]
    assert len(read_findings(written(tmp_path / "n", rows), scans).scan) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{PREDICTION_HEADER}\na,1,2,3,0.5\nb,1,two,3,0.5\n", r"row 3, column coordY: .*'two'"),
        (f"{PREDICTION_HEADER}\na,1,2\n", r"row 2: must have 5 columns .* got 3"),
        ("seriesuid,coordX,coordY,coordZ\na,1,2,3\n", r"must have a column probability"),
        ("a,1,2,3,\n", r"row 1, column probability: must be a number, got ''"),
    ],
)
def test_a_wrong_cell_is_named_with_file_row_and_column(tmp_path, scans, text, sentence):
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"predictions\.csv.*{sentence}"):
        read_predictions(path, scans)


def test_a_missing_table_is_reported(tmp_path, scans):
    with pytest.raises(UsageError, match=r"nothing\.csv: must be a readable table"):
        read_predictions(tmp_path / "nothing.csv", scans)


def test_a_binary_file_is_reported(tmp_path, scans):
    (tmp_path / "m").write_bytes(b"\x80\x81\xff\x00")
    with pytest.raises(UsageError, match="comma or tab separated text"):
        read_predictions(tmp_path / "m", scans)


def test_a_scan_listed_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="list each scan once, got a twice"):
        read_scan_list(written(tmp_path / "s", [["a"], ["b"], ["a"]]))


def test_ground_truth_without_nodules_is_refused(tmp_path):
    with pytest.raises(UsageError, match="hold a nodule on a listed scan"):
        evaluated(tmp_path, scans=["a"], nodules=[], predictions=[("a", 0, 0, 0, 1)])


def test_an_empty_scan_list_is_refused(tmp_path):
    with pytest.raises(UsageError, match="must list at least one scan, got none"):
        read_scan_list(written(tmp_path / "s", [], "seriesuid"))


def test_a_second_column_that_holds_no_integers_is_ignored(tmp_path):
    scans = read_scan_list(written(tmp_path / "s", [("a", "x"), ("b", "y")]))
    assert (scans.uids, scans.uid_of_number) == (("a", "b"), {})


def test_facts_of_unlisted_scans_and_empty_cells_are_unknown(tmp_path, scans):
    rows = [("b", "", "GE"), ("elsewhere", 3, "Siemens")]
    facts = read_scan_facts(
        written(tmp_path / "f", rows, "seriesuid,slice_thickness_mm,scanner"), scans
    )
    assert list(facts.scanner) == ["", "GE"]
    assert np.isnan(facts.slice_thickness_mm).all()
    assert np.isnan(facts.spacing_mm).all()
