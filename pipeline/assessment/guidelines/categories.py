"""Proposes a guideline's category for a nodule and for a study, with the reasons."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.guidelines.rules import in_words, match_rule, rounded_mm
from hounsfield.pipeline.assessment.population import applicability

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from hounsfield.pipeline.assessment.guidelines.facts import NoduleFacts
    from hounsfield.pipeline.assessment.guidelines.schema import Guideline, Risk
    from hounsfield.pipeline.assessment.population import Applicability

LUNGS_CUT = "a part of the lungs is not in the images"
QUALITY_FAILED = "the images failed the quality check"
GROWTH = "growth"
"""Key of `not_assessed` that is dropped once a prior study was compared."""
NOT_FOR_THIS_PATIENT = "not for this patient"
"""Title in place of a category where the patient is outside the guideline's population."""


@dataclass(frozen=True, slots=True)
class FindingCategory:
    """The proposed category of one nodule.

    Attributes:
        category: Name of the category; where a fact is missing, the most suspicious possible one.
        rule: Rule that decided, in words.
        mean_diameter_mm: Mean diameter as compared, rounded as the guideline requires.
        possible: Possible categories, least suspicious first; more than one where a missing fact
            would decide.
        missing: Facts that would decide between the possible categories.
        assumed: Conditions of the rule that were not measured and are taken to be met.
    """

    category: str
    rule: str
    mean_diameter_mm: float
    possible: tuple[str, ...]
    missing: tuple[str, ...]
    assumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyCategory:
    """The proposed category of a study; nodules are numbered from 1 in their given order.

    Attributes:
        guideline: Title of the guideline.
        source: Publication of its table.
        category: Name of the category; None where the patient is outside the guideline's
            population, or where a study without nodules cannot be evaluated and the guideline has
            no category for that.
        title: Meaning of the category.
        follow_up: Recommendations of the guideline.
        not_assessed: Criteria that were not measured, and assumptions that were made.
        driven_by: Numbers of the nodules with that category; empty where the study itself decides.
        findings: Category of each nodule; empty for a patient outside the population.
        outside_population: Why the guideline is not for this patient; None where it may be.
        cautions: What is unusual in the patient, and what is not known, for this guideline.
    """

    guideline: str
    source: str
    category: str | None
    title: str
    follow_up: tuple[str, ...]
    not_assessed: tuple[str, ...]
    driven_by: tuple[int, ...]
    findings: tuple[FindingCategory, ...]
    outside_population: str | None = None
    cautions: tuple[str, ...] = ()


def classify_finding(guideline: Guideline, nodule: NoduleFacts) -> FindingCategory:
    """Applies the rules in their order: the first that applies decides.

    A missing fact never makes a category less suspicious: of the rules that could be the first to
    apply, the one with the most suspicious category decides.

    Args:
        guideline: Guideline whose rules are applied.
        nodule: Facts about the nodule, lengths not rounded.

    Returns:
        The category, with the rule, the alternatives and the assumptions behind it.
    """
    decimals = guideline.round_to_decimals
    candidates = []
    for rule in guideline.rules:
        match = match_rule(rule, nodule, decimals=decimals)
        if match.applies is not False:
            candidates.append((rule, match))
        if match.applies:
            break
    # The rule that certainly applies is the last: of equal categories its wording is used.
    rule, match = max(
        reversed(candidates), key=lambda candidate: guideline.severity(candidate[0].category)
    )
    possible = sorted({rule.category for rule, _ in candidates}, key=guideline.severity)
    missing = dict.fromkeys(name for _, match in candidates for name in match.missing)
    return FindingCategory(
        category=rule.category,
        rule=in_words(rule, nodule.texture),
        mean_diameter_mm=rounded_mm(nodule.mean_diameter_mm, decimals),
        possible=tuple(possible),
        missing=tuple(missing) if len(possible) > 1 else (),
        assumed=match.assumed,
    )


def classify_study(
    guideline: Guideline,
    findings: Sequence[NoduleFacts],
    *,
    lungs_cut: bool,
    quality_failed: bool,
    risk: Risk | None = None,
    assessed: Collection[str] = (),
    patient: ClinicalFacts = ClinicalFacts(),  # noqa: B008 - immutable
) -> StudyCategory:
    """Proposes the category of a study: that of its most suspicious nodule, if it is evaluable.

    A patient outside the guideline's population has no category, and none of the nodules has one.

    Args:
        guideline: Guideline whose rules are applied.
        findings: Facts about every nodule of the study.
        lungs_cut: Whether a part of the lungs lies outside the images.
        quality_failed: Whether the image quality is insufficient for reading.
        risk: Risk of the patient, for guidelines that depend on it; None is unknown.
        assessed: Keys of the guideline's `not_assessed` that were assessed after all.
        patient: What is known of the patient; nothing by default.

    Returns:
        The category of the study and of each nodule, with follow-up and limitations.
    """
    fit = applicability(guideline.population, patient)
    if fit.reasons_against:
        return _outside(guideline, "; ".join(fit.reasons_against))
    nodules = tuple(classify_finding(guideline, finding) for finding in findings)
    limitations = [
        text for holds, text in ((lungs_cut, LUNGS_CUT), (quality_failed, QUALITY_FAILED)) if holds
    ]
    worst = max((nodule.category for nodule in nodules), key=guideline.severity, default=None)
    name, decided_by_study = _decide(guideline, worst, evaluable=not limitations)
    follow_up = list(_follow_up(guideline, nodules, risk))
    if decided_by_study:
        follow_up = [f"For the nodules seen: {text}" for text in follow_up]
    if decided_by_study and name is not None:
        follow_up[:0] = guideline.category(name).texts(nodules="single", risk=risk)
    return StudyCategory(
        guideline=guideline.title,
        source=guideline.source,
        category=name,
        title="cannot be evaluated" if name is None else guideline.category(name).title,
        follow_up=tuple(follow_up),
        not_assessed=(
            *limitations,
            *(text for key, text in guideline.not_assessed.items() if key not in assessed),
            *_uncertainties(nodules),
            *(_not_compared(findings) if GROWTH in assessed else ()),
        ),
        driven_by=tuple(
            number
            for number, nodule in enumerate(nodules, start=1)
            if not decided_by_study and nodule.category == name
        ),
        findings=nodules,
        cautions=_cautions(fit),
    )


def _outside(guideline: Guideline, reasons: str) -> StudyCategory:
    return StudyCategory(
        guideline=guideline.title,
        source=guideline.source,
        category=None,
        title=NOT_FOR_THIS_PATIENT,
        follow_up=(),
        not_assessed=(),
        driven_by=(),
        findings=(),
        outside_population=reasons,
    )


def _cautions(fit: Applicability) -> tuple[str, ...]:
    unknown = (f"not known of the patient: {', '.join(fit.unknown)}",) if fit.unknown else ()
    return (*fit.cautions, *unknown)


def _decide(guideline: Guideline, worst: str | None, *, evaluable: bool) -> tuple[str | None, bool]:
    """Returns the study's category, and whether the study rather than a nodule decides it."""
    if not evaluable and (guideline.study.not_evaluable is not None or worst is None):
        return guideline.study.not_evaluable, True
    return (guideline.study.without_nodules, True) if worst is None else (worst, False)


def _follow_up(
    guideline: Guideline, nodules: Sequence[FindingCategory], risk: Risk | None
) -> Iterator[str]:
    """Yields the follow-up of the worst nodule of each group, the worst group first."""
    groups: dict[str | None, list[int]] = defaultdict(list)
    for nodule in nodules:
        group = guideline.category(nodule.category).group
        groups[group].append(guideline.severity(nodule.category))
    for severities in sorted(groups.values(), key=max, reverse=True):
        worst = guideline.categories[max(severities)]
        yield from worst.texts(nodules="multiple" if len(severities) > 1 else "single", risk=risk)


def _uncertainties(nodules: Sequence[FindingCategory]) -> Iterator[str]:
    for number, nodule in enumerate(nodules, start=1):
        if nodule.assumed:
            yield f"nodule {number} is taken to be {' and '.join(nodule.assumed)}: not measured"
        if nodule.missing:
            facts = ", ".join(name.removesuffix("_mm").replace("_", " ") for name in nodule.missing)
            yield f"nodule {number} may be {' or '.join(nodule.possible)}: {facts} not known"


def _not_compared(findings: Sequence[NoduleFacts]) -> Iterator[str]:
    for number, nodule in enumerate(findings, start=1):
        if nodule.interval_change is None:
            yield f"nodule {number} could not be compared: the first-study table is used for it"
