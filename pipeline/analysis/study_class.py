"""The class of a study, by a stated rule from those of its findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.contracts import ConfidenceBand, NoduleClass
from hounsfield.pipeline.report.schema import StudyClassDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.pipeline.report.schema import FindingDocument

RULE = (
    "The study takes the class probabilities of its most suspicious finding: the one with the "
    "largest probability of cancer (1 - p_normal) times score; findings unlike the training data "
    "come last."
)
NO_FINDING = "No finding at this operating point: the study is called normal, with no probability."


def study_class(findings: Sequence[FindingDocument]) -> StudyClassDocument:
    """Gives the class of a study; `RULE` says how.

    Args:
        findings: As they stand in the report, so that its reader can follow the rule; the first
            of equals decides.
    """
    if not findings:
        return StudyClassDocument(likeliest_class=NoduleClass.NORMAL, rule=NO_FINDING)
    decisive = max(findings, key=_suspicion)
    return StudyClassDocument(
        likeliest_class=decisive.likeliest_class,
        class_probabilities=decisive.class_probabilities,
        confidence_band=decisive.confidence_band,
        finding=decisive.finding,
        rule=RULE,
    )


def _suspicion(finding: FindingDocument) -> tuple[bool, float]:
    """Sorts by what the classifier knows, then by the probability that this is a cancer."""
    known = finding.confidence_band != ConfidenceBand.OUT_OF_DISTRIBUTION
    return known, (1 - finding.class_probabilities[NoduleClass.NORMAL]) * finding.score
