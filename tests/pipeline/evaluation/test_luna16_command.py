"""Output of ``evaluate luna16``: document, strata, comparison, tables, plots, page."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest

from hounsfield.pipeline.evaluation.luna16.command import luna16_summary
from tests.pipeline.evaluation.challenge_tables import PREDICTION_HEADER, evaluated, written

SCANS = ["a", "b", "c", "d"]
NODULES = [("a", 0, 0, 0, 5), ("a", 50, 0, 0, 20), ("b", 0, 0, -30, 7)]
PREDICTIONS = [
    ("a", 0, 0, 1, 0.9),
    ("a", 51, 0, 0, 0.6),
    ("c", 0, 0, 0, 0.7),
    ("d", 5, 5, 5, 0.1),
    ("b", 90, 0, 0, 0.2),
]


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_document_has_its_documented_keys(tmp_path):
    evaluated(tmp_path, scans=SCANS, nodules=NODULES, predictions=PREDICTIONS)
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    keys = ["0.125", "0.25", "0.5", "1", "2", "4", "8"]
    assert list(document["sensitivity"]) == keys
    assert list(document["interval_95"]) == [*keys, "cpm"]
    assert all(len(pair) == 2 for pair in document["interval_95"].values())
    # by hand: 4 scans; hit at 0.9, false positive at 0.7 (0.25 per scan), hit at 0.6; one miss
    assert document["sensitivity"]["0.125"] == pytest.approx(1 / 3)
    assert document["sensitivity"]["0.25"] == pytest.approx(2 / 3)
    assert document["cpm"] == pytest.approx((1 / 3 + 6 * 2 / 3) / 7)
    counts = {
        "nodules": 3,
        "scans": 4,
        "true_positives": 2,
        "false_positives": 3,
        "ignored_excluded": 0,
        "ignored_duplicates": 0,
        "protocol_warnings": [],
    }
    assert counts == {key: document[key] for key in counts}


def test_equal_seeds_write_equal_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        evaluated(tmp_path / name, scans=SCANS, nodules=NODULES, predictions=PREDICTIONS, seed=3)
    for file in sorted((tmp_path / "one" / "out").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / "out" / file.name).read_bytes()


def test_every_nodule_and_every_prediction_has_a_row(tmp_path):
    evaluated(
        tmp_path,
        scans=SCANS,
        nodules=NODULES,
        predictions=PREDICTIONS,
        excluded=[("d", 5, 5, 5, -1)],
    )
    nodules = rows_of(tmp_path / "out" / "nodules.csv")
    assert [row["outcome"] for row in nodules] == ["hit", "hit", "miss"]
    assert [row["false_positives_per_scan"] for row in nodules] == ["0", "0.25", ""]
    assert nodules[1]["distance_mm"] == "1"
    outcomes = rows_of(tmp_path / "out" / "prediction_outcomes.csv")
    assert [(row["row"], row["outcome"]) for row in outcomes] == [
        ("2", "best_on_nodule"),
        ("3", "best_on_nodule"),
        ("4", "false_positive"),
        ("5", "ignored_excluded"),
        ("6", "false_positive"),
    ]


def test_diameter_strata_keep_all_scans_and_their_own_nodules(tmp_path):
    document = evaluated(tmp_path, scans=SCANS, nodules=NODULES, predictions=PREDICTIONS)
    counts = {s.name: (s.scans, s.nodules, s.true_positives) for s in document.strata}
    assert counts == {
        "under 6 mm": (4, 1, 1),
        "from 6 under 8 mm": (4, 1, 0),
        "from 15 mm": (4, 1, 1),
    }


def test_strata_of_scans_divide_by_their_own_scans(tmp_path):
    facts = written(
        tmp_path / "facts.csv",
        [("a", 1.0, "Siemens"), ("b", 2.5, "GE"), ("c", 1.0, "GE"), ("d", "", "")],
        "seriesuid,slice_thickness_mm,scanner",
    )
    document = evaluated(
        tmp_path, scans=SCANS, nodules=NODULES, predictions=PREDICTIONS, facts=facts
    )
    strata = {(s.by, s.name): s for s in document.strata if s.by != "diameter_mm"}
    assert {key: (s.scans, s.nodules) for key, s in strata.items()} == {
        ("slice_thickness_mm", "up to 1 mm"): (2, 2),
        ("slice_thickness_mm", "over 2 up to 2.5 mm"): (1, 1),
        ("scanner", "GE"): (2, 1),
        ("scanner", "Siemens"): (1, 2),
    }
    # scans a and c: the false positive of c is at 0.5 per scan, between the two hits
    thin = strata["slice_thickness_mm", "up to 1 mm"].sensitivity
    assert (thin["0.25"], thin["0.5"]) == (0.5, 1.0)


def test_a_submission_compared_with_itself_has_no_difference(tmp_path):
    same = written(tmp_path / "same.csv", PREDICTIONS, PREDICTION_HEADER)
    document = evaluated(
        tmp_path, scans=SCANS, nodules=NODULES, predictions=PREDICTIONS, compare=same
    )
    assert document.comparison.difference["cpm"] == 0
    assert document.comparison.interval_95["cpm"] == (0, 0)
    assert document.comparison.p_value["cpm"] == 1


def test_a_better_submission_has_a_positive_difference(tmp_path):
    scans = [f"s{i}" for i in range(20)]
    nodules = [(scan, 0, 0, 0, 10) for scan in scans]
    hits = [(scan, 0, 0, 0, 0.9) for scan in scans]
    worse = [*hits[:5], *[(scan, 99, 0, 0, 0.95) for scan in scans]]
    other = written(tmp_path / "worse.csv", worse, PREDICTION_HEADER)
    comparison = evaluated(
        tmp_path, scans=scans, nodules=nodules, predictions=hits, compare=other, resamplings=200
    ).comparison
    assert comparison.interval_95["cpm"][0] > 0
    assert comparison.p_value["cpm"] == pytest.approx(2 / 201)


def test_the_page_needs_no_other_file_and_shows_the_warnings(tmp_path):
    evaluated(
        tmp_path, scans=SCANS, nodules=NODULES, predictions=[*PREDICTIONS[:2], ("<b>", 0, 0, 0, 1)]
    )
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<svg" in page
    assert "src=" not in page
    assert "<link" not in page
    assert "scans_omitted" in page
    assert "&lt;b&gt;" in page  # a name from a file cannot become markup
    assert (tmp_path / "out" / "froc.png").read_bytes().startswith(b"\x89PNG")


def test_reading_and_matching_import_neither_torch_nor_matplotlib():
    code = (
        "import sys, hounsfield.pipeline.evaluation.luna16.command; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'monai', 'matplotlib', 'SimpleITK')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_summary_has_warnings_figures_counts_and_the_comparison(tmp_path):
    same = written(tmp_path / "same.csv", PREDICTIONS, PREDICTION_HEADER)
    predictions = [*PREDICTIONS, ("elsewhere", 0, 0, 0, 1)]
    document = evaluated(
        tmp_path, scans=SCANS, nodules=NODULES, predictions=predictions, compare=same
    )
    warning, *rates, counts, comparison = luna16_summary(document)
    assert warning.startswith("WARNING scans_unknown: 1 predictions on 1 scans")
    assert len(rates) == 7
    assert rates[0].startswith(" 0.125 false positives per scan: sensitivity 0.3333 (")
    assert counts.startswith(f"CPM {document.cpm:.4f} (")
    assert counts.endswith("3 nodules, 4 scans, 2 detected, 3 false positives")
    assert comparison == "Compared with same.csv: CPM +0.0000 (0.0000 to 0.0000), p 1.000"


def test_submissions_in_files_of_one_name_are_named_by_their_folders(tmp_path):
    (tmp_path / "b").mkdir()
    other = written(tmp_path / "b" / "predictions.csv", PREDICTIONS, PREDICTION_HEADER)
    document = evaluated(
        tmp_path, scans=SCANS, nodules=NODULES, predictions=PREDICTIONS, compare=other
    )
    assert document.predictions == f"{tmp_path.name}/predictions.csv"
    assert document.comparison.other == "b/predictions.csv"
