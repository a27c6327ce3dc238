"""The class of a study, derived from its findings by a stated rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.findings import ConfidenceBand, NoduleClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.findings import Finding

RULE = (
    "The study takes the class probabilities of its most suspicious finding: the one with the "
    "largest probability of cancer (1 - p_normal) times score; findings out of distribution come "
    "last."
)
NO_FINDING = "No finding at this operating point: the study is called normal, with no probability."


@dataclass(frozen=True, slots=True)
class StudyClass:
    """The class of a study.

    Attributes:
        likeliest_class: The class with the largest probability.
        rule: How the class was derived, in a sentence.
        finding: Number, from 1, of the finding that decides; None where there is no finding.
    """

    likeliest_class: NoduleClass
    rule: str
    finding: int | None = None


def study_class(findings: Sequence[Finding]) -> StudyClass:
    """Derive the class of a study from its findings; `RULE` says how.

    Args:
        findings: All findings of the study, best score first; the first of equals decides.

    Returns:
        The class, and the number of the finding that decides.
    """
    if not findings:
        return StudyClass(NoduleClass.NORMAL, NO_FINDING)
    decisive = max(range(len(findings)), key=lambda index: _suspicion(findings[index]))
    return StudyClass(findings[decisive].likeliest_class, RULE, decisive + 1)


def _suspicion(finding: Finding) -> tuple[bool, float]:
    """Findings in distribution before others, then by probability of cancer times score."""
    in_distribution = finding.confidence_band is not ConfidenceBand.OUT_OF_DISTRIBUTION
    p_normal = finding.class_probabilities[list(NoduleClass).index(NoduleClass.NORMAL)]
    return in_distribution, (1 - p_normal) * finding.score
