"""The result of a run on standard output."""

import csv
import json

import pytest

from hounsfield.pipeline.batch.csv_tables import FINDINGS_COLUMNS
from hounsfield.pipeline.batch.ledger import Row
from hounsfield.pipeline.batch.run_summary import MAX_FAILED, RunSummary
from hounsfield.pipeline.cli.run_output import print_run_json, print_run_summary, summary_lines
from hounsfield.pipeline.errors import ExitCode


def row(number, verdict="analysed", reason="", findings=0):
    message = "ends too early" if verdict == "failed" else ""
    return Row(
        f"in/{number}", "1.2", f"1.2.{number}", 1, verdict, reason, message, findings=findings
    )


def summary_of(*rows):
    summary = RunSummary(studies=len(rows))
    for each in rows:
        summary.count(each)
    return summary


@pytest.fixture
def out(tmp_path):
    """An output folder with one report in its worklist and one finding."""
    (tmp_path / "worklist.csv").write_text("study_uid,report\n1.2,studies/1.2/report.html\n")
    with (tmp_path / "findings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, FINDINGS_COLUMNS, restval="0")
        writer.writeheader()
        writer.writerow(
            {
                "series_uid": "1.2.840.113619.2.55.3",
                "finding": 1,
                "score": 0.912,
                "diameter_mm": 8.25,
                "lung": "left",
                "zone": "upper",
                "class": "large_cell_carcinoma",
                "confidence_band": "review",
            }
        )
    return tmp_path


def test_counts_reasons_and_the_report_are_listed(out):
    lines = summary_lines(out, summary_of(row(1, findings=1), row(2, "skipped", "localizer")))
    assert lines[0] == "Series and files: 1 analysed, 1 skipped (1 localizer)."
    assert f"Report: {out / 'studies/1.2/report.html'}" in lines
    assert f"All results: {out / 'index.html'}" in lines
    assert lines[-1] == "Research use only. Not a medical device."


def test_each_failure_names_its_path_and_no_more_than_the_first_are_listed(out):
    failed = [row(number, "failed", "truncated") for number in range(MAX_FAILED + 1)]
    lines = summary_lines(out, summary_of(*failed))
    assert "Failed: in/0: ends too early" in lines
    assert sum(line.startswith("Failed: ") for line in lines) == MAX_FAILED
    assert "More failed: see index.html and ledger.sqlite." in lines
    assert not any("More failed" in line for line in summary_lines(out, summary_of(*failed[:-1])))


def test_an_input_without_a_chest_says_so(out):
    lines = summary_lines(out, summary_of(row(1, "skipped", "not_ct")))
    assert lines[0] == "Nothing to analyse in the input (1 not_ct)."


def test_the_table_shows_the_best_findings(out, capsys):
    print_run_summary(out, summary_of(row(1, findings=1)))
    text = capsys.readouterr().out
    for cell in (
        "…13619.2.55.3",
        "0.91",
        "8.2",
        "left lung, upper zone",
        "large cell carcinoma",
        "review",
    ):
        assert cell in text


def test_the_json_carries_the_counts_and_the_exit_code(out, capsys):
    print_run_json(out, summary_of(row(1, findings=2), row(2, "failed", "truncated")))
    document = json.loads(capsys.readouterr().out)
    assert document["findings"] == 2
    assert document["verdicts"] == {"analysed": 1, "failed": 1}
    assert document["reasons"] == {"truncated": 1}
    assert document["exit_code"] == ExitCode.SOME_FAILED
