"""The first sentence of a report, and the finding that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.pipeline.report.schema import GuidelineDocument, Report


def leading_finding(findings: int, guidelines: Sequence[GuidelineDocument]) -> int | None:
    """Choose the finding that the headline names and that the key image's slice goes through.

    It is the finding that decides the category of the first guideline with one; of several, the one
    with the best score. Without a category it is the finding with the best score.

    Args:
        findings: How many findings there are, numbered from 1, best score first.
        guidelines: Proposals in the order of the configuration.

    Returns:
        The finding's number; None without findings.
    """
    if findings == 0:
        return None
    driven_by = next((guideline.driven_by for guideline in guidelines if guideline.driven_by), (1,))
    return min(driven_by)


def headline(report: Report) -> str:
    """Sum up a report in one sentence: count, most suspicious finding, category, notices.

    Args:
        report: The document, with or without guidelines.

    Returns:
        The sentence, with a full stop.
    """
    codes = list(dict.fromkeys(notice.code.replace("_", " ") for notice in report.notices))
    notices = f"quality notices: {', '.join(codes)}" if codes else "no quality notices"
    return f"{_findings(report)}; {notices}."


def _findings(report: Report) -> str:
    category = _category(report)
    number = leading_finding(len(report.findings), report.guidelines)
    if number is None:
        return "No finding above the operating point" + (category and f", {category}")
    finding = report.findings[number - 1]
    texture = str(finding.measurements.get("texture", "")).replace("_", "-")
    facts = (
        texture,
        f"{finding.diameter_mm:.1f} mm",
        f"{finding.location.lung} lung",
        f"{finding.location.zone} zone",
        category,
    )
    described = ", ".join(fact for fact in facts if fact)
    if len(report.findings) == 1:
        return f"One finding: {described}"
    rank = "the most suspicious" if category else "the best score has"
    return f"{len(report.findings)} findings, {rank} number {number}: {described}"


def _category(report: Report) -> str:
    """The category of the first guideline that has one, with the guideline's name."""
    return next(
        (
            f"{guideline.title} {guideline.category}"
            for guideline in report.guidelines
            if guideline.category
        ),
        "",
    )
