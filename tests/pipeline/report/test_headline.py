"""The first sentence counts the findings, names the most suspicious one and the notices."""

import pytest

from hounsfield.pipeline.report.headline import headline, leading_finding
from hounsfield.pipeline.report.schema import NoticeDocument
from tests.pipeline.report.test_html import full_report, guideline
from tests.pipeline.scripted import make_report


@pytest.mark.parametrize(
    ("findings", "driven_by", "leading"),
    [
        (0, [], None),
        (3, [], 1),
        (3, [()], 1),
        (3, [(2,)], 2),
        (3, [(3, 2), (1,)], 2),
        (3, [(), (3,)], 3),
    ],
    ids=[
        "no finding",
        "no guideline",
        "no category",
        "the finding that decides the category",
        "of several the best score, by the first guideline",
        "the next guideline where the first has no category",
    ],
)
def test_the_category_decides_which_finding_leads(findings, driven_by, leading):
    assert leading_finding(findings, driven_by) == leading


def test_the_headline_names_count_most_suspicious_finding_category_and_notices():
    assert headline(full_report()) == (
        "2 findings, the most suspicious number 2: part-solid, 11.0 mm, left lung, upper zone, "
        "score 0.50, Lung-RADS v2022 4B; quality notices: contrast."
    )


def test_an_incomplete_study_does_not_hide_the_category_of_the_finding():
    incomplete = guideline(category="0", meaning="incomplete", driven_by=())
    other = guideline(title="C-Lung-RADS", category="4", driven_by=(2,), findings=("1", "4"))
    text = headline(full_report(guidelines=(incomplete, other)))
    assert "number 2: " in text
    assert "Lung-RADS v2022 4B (study: 0, incomplete); quality" in text


def test_a_single_finding_is_not_numbered():
    report = make_report(scores=(0.9,))
    assert (
        headline(report)
        == "One finding: 10.0 mm, left lung, upper zone, score 0.90; no quality notices."
    )


def test_without_a_category_the_best_score_leads():
    report = make_report(scores=(0.9, 0.5))
    assert headline(report).startswith("2 findings, the best score has number 1: 10.0 mm")


def outside(**values):
    no_category = {"category": None, "driven_by": (), "findings": ("", ""), "follow_up": ()}
    return guideline(**no_category | {"outside_population": "it is for adults"} | values)


def test_a_child_has_the_sentence_on_training_instead_of_a_category():
    child = NoticeDocument(code="outside_training", message="The patient is 1 year old.")
    text = headline(full_report(notices=(child,), guidelines=(outside(),)))
    assert text.startswith("The patient is 1 year old. 2 findings, the best score has number 1: ")
    assert "Lung-RADS" not in text
    assert text.endswith("; quality notices: outside training.")


def test_the_first_guideline_for_the_patient_names_the_category():
    other = guideline(title="Fleischner")
    text = headline(full_report(guidelines=(outside(), other)))
    assert text.startswith("2 findings, the most suspicious number 2: ")
    assert "Fleischner 4B; quality" in text


def test_without_a_guideline_for_the_patient_the_headline_says_so():
    text = headline(full_report(guidelines=(outside(), outside(title="Fleischner"))))
    assert text.startswith("No category: no guideline is for this patient. 2 findings, the best")


def test_without_findings_the_headline_names_the_category():
    report = make_report(scores=())
    assert headline(report) == "No finding above the operating point; no quality notices."
    negative = guideline(category="1", meaning="negative", driven_by=(), findings=())
    report = report.model_copy(update={"guidelines": (negative,)})
    assert headline(report) == (
        "No finding above the operating point, Lung-RADS v2022 1; no quality notices."
    )


def test_a_notice_is_named_once():
    slices = tuple(NoticeDocument(code="thick_slices", message=text) for text in ("3 mm", "5 mm"))
    report = full_report(notices=slices)
    assert headline(report).endswith("; quality notices: thick slices.")
