"""The first sentence of a report, and the finding that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import NoticeCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.pipeline.report.schema import GuidelineDocument, Report


def leading_finding(findings: int, driven_by: Iterable[Sequence[int]]) -> int | None:
    """Choose the finding that the headline names and that the key image's slice goes through.

    It is the finding that decides the category of the first guideline with one; of several, the one
    with the best score. Without a category it is the finding with the best score.

    Args:
        findings: How many findings there are, numbered from 1, best score first.
        driven_by: For each guideline, in the order of the configuration, the numbers of the
            findings that decide its category; empty where none does.

    Returns:
        The finding's number; None without findings.
    """
    if findings == 0:
        return None
    return min(next((numbers for numbers in driven_by if numbers), (1,)))


def headline(report: Report) -> str:
    """Sum up a report in one sentence: count, most suspicious finding, category, notices.

    Before it stands why there is no category, where no guideline is for the patient.

    Args:
        report: The document, with or without guidelines.

    Returns:
        The sentence, or both, with a full stop.
    """
    codes = list(dict.fromkeys(notice.code.replace("_", " ") for notice in report.notices))
    notices = f"quality notices: {', '.join(codes)}" if codes else "no quality notices"
    return f"{_no_category(report)}{_findings(report)}; {notices}."


def _no_category(report: Report) -> str:
    """The sentence, and a space, on a patient for whom nothing here was made; else nothing."""
    for notice in report.notices:
        if notice.code is NoticeCode.OUTSIDE_TRAINING:
            return f"{notice.message} "
    if report.guidelines and all(each.outside_population for each in report.guidelines):
        return "No category: no guideline is for this patient. "
    return ""


def _findings(report: Report) -> str:
    guideline = next((each for each in report.guidelines if each.category), None)
    number = leading_finding(len(report.findings), [each.driven_by for each in report.guidelines])
    if number is None:
        category = f", {guideline.title} {guideline.category}" if guideline else ""
        return f"No finding above the operating point{category}"
    finding = report.findings[number - 1]
    facts = (
        str(finding.measurements.get("texture", "")).replace("_", "-"),
        f"{finding.diameter_mm:.1f} mm",
        f"{finding.location.lung} lung",
        f"{finding.location.zone} zone",
        f"score {finding.score:.2f}",
        _category(guideline, number) if guideline else "",
    )
    described = ", ".join(fact for fact in facts if fact)
    if len(report.findings) == 1:
        return f"One finding: {described}"
    rank = "the most suspicious" if guideline else "the best score has"
    return f"{len(report.findings)} findings, {rank} number {number}: {described}"


def _category(guideline: GuidelineDocument, number: int) -> str:
    """The category of a finding, and that of the study where it differs (0, incomplete)."""
    category = guideline.findings[number - 1]
    text = f"{guideline.title} {category}"
    if guideline.category == category:
        return text
    return f"{text} (study: {guideline.category}, {guideline.meaning})"
