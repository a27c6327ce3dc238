"""`evaluate_luna16`, the function behind the command and the public API."""

import pytest

from hounsfield.pipeline.evaluation.luna16.command import luna16_command
from hounsfield.pipeline.evaluation.luna16.evaluate import evaluate_luna16
from hounsfield.pipeline.evaluation.schema import Luna16Evaluation
from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.evaluation.challenge_tables import (
    FINDING_HEADER,
    PREDICTION_HEADER,
    written,
)

SCANS = ["a", "b", "c", "d"]
NODULES = [("a", 0, 0, 0, 5), ("a", 50, 0, 0, 20), ("b", 0, 0, -30, 7)]
EXCLUDED = [("d", 5, 5, 5, -1)]
PREDICTIONS = [
    ("a", 0, 0, 1, 0.9),
    ("a", 51, 0, 0, 0.6),
    ("c", 0, 0, 0, 0.7),
    ("d", 5, 5, 5, 0.1),
]


@pytest.fixture
def tables(tmp_path):
    """Paths of the tables, as keyword arguments."""
    return {
        "annotations": written(tmp_path / "annotations.csv", NODULES, FINDING_HEADER),
        "excluded": written(tmp_path / "excluded.csv", EXCLUDED, FINDING_HEADER),
        "seriesuids": written(tmp_path / "series.csv", [[scan] for scan in SCANS]),
        "predictions": written(tmp_path / "predictions.csv", PREDICTIONS, PREDICTION_HEADER),
        "compare": written(tmp_path / "other.csv", PREDICTIONS[1:], PREDICTION_HEADER),
        "facts": written(
            tmp_path / "facts.csv", [("a", 1.0, "GE")], "seriesuid,slice_thickness_mm,scanner"
        ),
    }


def codes(document):
    return [warning.code for warning in document.protocol_warnings]


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_it_returns_what_the_command_writes(tables, tmp_path, kind):
    document = evaluate_luna16(
        **{name: kind(path) for name, path in tables.items()}, resamplings=50, seed=3
    )
    series = tables.pop("seriesuids")
    luna16_command(**tables, series=series, out=tmp_path / "out", resamplings=50, seed=3)
    written_document = (tmp_path / "out" / "evaluation.json").read_text()
    assert document == Luna16Evaluation.model_validate_json(written_document)
    assert document.model_dump_json(indent=1) + "\n" == written_document


def test_it_writes_nothing(tables, tmp_path):
    before = sorted(tmp_path.iterdir())
    evaluate_luna16(**tables, resamplings=5)
    assert sorted(tmp_path.iterdir()) == before


def test_annotations_and_predictions_suffice(tables):
    document = evaluate_luna16(
        annotations=tables["annotations"], predictions=tables["predictions"], resamplings=5
    )
    assert (document.nodules, document.true_positives, document.false_positives) == (3, 2, 2)
    assert (document.resamplings, document.seed, document.comparison) == (5, 0, None)


def test_without_a_scan_list_the_scans_of_all_tables_count_with_a_warning(tables):
    del tables["seriesuids"]
    document = evaluate_luna16(**tables, resamplings=5)
    assert document.scans == 4
    assert codes(document) == ["scan_list_missing", "scans_omitted"]
    assert "divided by the 4 scans that the tables name" in document.protocol_warnings[0].message
    del tables["excluded"], tables["compare"], tables["predictions"]
    predictions = tables["annotations"].with_name("predictions_of_a.csv")
    written(predictions, PREDICTIONS[:2], PREDICTION_HEADER)
    assert evaluate_luna16(**tables, predictions=predictions, resamplings=5).scans == 2


def test_without_a_scan_list_numbers_and_names_of_a_scan_are_one_scan(tables, tmp_path):
    del tables["seriesuids"], tables["compare"]
    numbered = [(SCANS.index(scan), *row) for scan, *row in PREDICTIONS]
    tables["predictions"] = written(tmp_path / "numbered.csv", numbered, PREDICTION_HEADER)
    ids = written(tmp_path / "ids.csv", list(enumerate(SCANS)))
    document = evaluate_luna16(**tables, ids=ids, resamplings=5)
    assert (document.scans, document.true_positives) == (4, 2)


def test_tables_without_a_scan_are_refused(tmp_path):
    empty = {
        "annotations": written(tmp_path / "a.csv", [], FINDING_HEADER),
        "predictions": written(tmp_path / "p.csv", [], PREDICTION_HEADER),
    }
    with pytest.raises(UsageError, match=r"a\.csv, .*p\.csv: must name at least one scan"):
        evaluate_luna16(**empty)


def test_a_table_of_ids_without_numbers_is_refused(tables):
    with pytest.raises(UsageError, match="must have two columns, a number and the scan"):
        evaluate_luna16(**tables, ids=tables["seriesuids"])


def test_less_than_one_bootstrap_is_refused(tables):
    with pytest.raises(UsageError, match="bootstraps must be 1 or more, got 0"):
        evaluate_luna16(**tables, resamplings=0)
