from pathlib import Path

import pytest

from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.folder import PreparationReport
from hounsfield.pipeline.cli.prepare_output import exit_code, report_lines
from hounsfield.pipeline.errors import ExitCode


def a_report(*, prepared=1, nodules=1, excluded=()):
    return PreparationReport(
        dataset="luna16",
        prepared=prepared,
        kept=0,
        patients=prepared,
        nodules=nodules,
        ignored=0,
        excluded=tuple(excluded),
    )


@pytest.mark.parametrize(
    ("report", "line", "code"),
    [
        (a_report(nodules=0), "WARNING: no case has a finding that counts", ExitCode.DONE),
        (a_report(prepared=0, nodules=0), "nothing was prepared", ExitCode.NOTHING_TO_ANALYSE),
    ],
)
def test_a_preparation_without_nodules_says_so(report, line, code):
    assert any(text.startswith(line) for text in report_lines(report, Path("out")))
    assert exit_code(report) is code


def test_a_preparation_with_nodules_warns_of_nothing():
    assert len(report_lines(a_report(), Path("out"))) == 1


def test_each_sentence_names_its_case():
    cases = [
        ExcludedCase(name="/data/bad.xml", reason="unreadable", message=message, failed=True)
        for message in ("The file is damaged", "bad.xml: row 3 is damaged")
    ]
    assert report_lines(a_report(excluded=cases), Path("out"))[2:] == [
        "  bad.xml: The file is damaged",
        "  bad.xml: row 3 is damaged",
    ]
