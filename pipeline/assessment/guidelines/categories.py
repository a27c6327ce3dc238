"""What a guideline says of a nodule and of a study: a proposal, with what it was made of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.pipeline.assessment.guidelines.rules import fit, in_words, rounded_mm

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from hounsfield.pipeline.assessment.guidelines.facts import NoduleFacts
    from hounsfield.pipeline.assessment.guidelines.schema import Guideline, Risk

LUNGS_CUT = "a part of the lungs is not in the images"
QUALITY_FAILED = "the images failed the quality check"
GROWTH = "growth"
"""Key of `not_assessed` that a comparison with an earlier study takes away."""


@dataclass(frozen=True, slots=True)
class FindingCategory:
    """The proposed category of one nodule.

    Attributes:
        category: Its name; the worst that is possible where a fact is missing.
        rule: The rule that decided, in words.
        mean_diameter_mm: As it was compared: rounded as the guideline asks.
        possible: From the mildest to the worst; more than one where a missing fact decides.
        missing: The facts that would decide between them.
        assumed: What the rule asks for and was not measured, taken to be so.
    """

    category: str
    rule: str
    mean_diameter_mm: float
    possible: tuple[str, ...]
    missing: tuple[str, ...]
    assumed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyCategory:
    """The proposed category of a study; its nodules are numbered from 1 as they were given.

    Attributes:
        guideline: Title of the guideline.
        source: Where its table is published.
        category: Its name; None where nothing was found, the study cannot be evaluated, and the
            guideline has no category for that.
        title: What the category means.
        follow_up: What the guideline recommends.
        not_assessed: What the guideline asks for and was not measured, or what was assumed.
        driven_by: The nodules with that category; empty where the study itself decides.
        findings: The category of each nodule.
    """

    guideline: str
    source: str
    category: str | None
    title: str
    follow_up: tuple[str, ...]
    not_assessed: tuple[str, ...]
    driven_by: tuple[int, ...]
    findings: tuple[FindingCategory, ...]


def classify_finding(guideline: Guideline, measured: NoduleFacts) -> FindingCategory:
    """Applies the rules in their order: the first that fits counts.

    A missing fact never makes a category milder: of the rules that could be the first to fit, the
    worst counts.
    """
    decimals = guideline.round_to_decimals
    candidates = []
    for rule in guideline.rules:
        how = fit(rule, measured, decimals=decimals)
        if how.fits is not False:
            candidates.append((rule, how))
        if how.fits:
            break
    # The one that surely fits is the last: it speaks where an uncertain one has its category too.
    rule, how = max(reversed(candidates), key=lambda one: guideline.severity(one[0].category))
    possible = sorted({one.category for one, _ in candidates}, key=guideline.severity)
    missing = dict.fromkeys(name for _, one in candidates for name in one.missing)
    return FindingCategory(
        category=rule.category,
        rule=in_words(rule, measured.texture),
        mean_diameter_mm=rounded_mm(measured.mean_diameter_mm, decimals),
        possible=tuple(possible),
        missing=tuple(missing) if len(possible) > 1 else (),
        assumed=how.assumed,
    )


def classify_study(
    guideline: Guideline,
    findings: Sequence[NoduleFacts],
    *,
    lungs_cut: bool,
    quality_failed: bool,
    risk: Risk | None = None,
    assessed: Collection[str] = (),
) -> StudyCategory:
    """Proposes the category of a study: the worst of its nodules, unless the study itself decides.

    Args:
        guideline: The guideline.
        findings: Every nodule of the study.
        lungs_cut: A part of the lungs is not in the images.
        quality_failed: The images are too bad to be read.
        risk: Of the patient, where the guideline asks for it; None is unknown.
        assessed: Keys of the guideline's `not_assessed` that were assessed after all.
    """
    nodules = tuple(classify_finding(guideline, finding) for finding in findings)
    trouble = [
        told for is_so, told in ((lungs_cut, LUNGS_CUT), (quality_failed, QUALITY_FAILED)) if is_so
    ]
    worst = max((one.category for one in nodules), key=guideline.severity, default=None)
    name, by_study = _deciding(guideline, worst, in_trouble=bool(trouble))
    follow_up = list(_follow_up(guideline, nodules, risk))
    if by_study:
        follow_up = [f"For the nodules seen: {text}" for text in follow_up]
    if by_study and name is not None:
        follow_up[:0] = guideline.category(name).texts(nodules="single", risk=risk)
    listed = (text for key, text in guideline.not_assessed.items() if key not in assessed)
    return StudyCategory(
        guideline=guideline.title,
        source=guideline.source,
        category=name,
        title="cannot be evaluated" if name is None else guideline.category(name).title,
        follow_up=tuple(follow_up),
        not_assessed=(
            *trouble,
            *listed,
            *_doubts(nodules),
            *(_uncompared(findings) if GROWTH in assessed else ()),
        ),
        driven_by=tuple(
            number
            for number, one in enumerate(nodules, start=1)
            if not by_study and one.category == name
        ),
        findings=nodules,
    )


def _deciding(
    guideline: Guideline, worst: str | None, *, in_trouble: bool
) -> tuple[str | None, bool]:
    """The study's category, and whether the study rather than a nodule decides it."""
    if in_trouble and (guideline.study.not_evaluable is not None or worst is None):
        return guideline.study.not_evaluable, True
    return (guideline.study.without_nodules, True) if worst is None else (worst, False)


def _follow_up(
    guideline: Guideline, nodules: Sequence[FindingCategory], risk: Risk | None
) -> Iterator[str]:
    """What is recommended for the worst nodule of each group, the worst group first."""
    groups: dict[str | None, list[int]] = defaultdict(list)
    for one in nodules:
        group = guideline.category(one.category).group
        groups[group].append(guideline.severity(one.category))
    for severities in sorted(groups.values(), key=max, reverse=True):
        worst = guideline.categories[max(severities)]
        yield from worst.texts(nodules="multiple" if len(severities) > 1 else "single", risk=risk)


def _doubts(nodules: Sequence[FindingCategory]) -> Iterator[str]:
    for number, one in enumerate(nodules, start=1):
        if one.assumed:
            yield f"nodule {number} is taken to be {' and '.join(one.assumed)}: not measured"
        if one.missing:
            facts = ", ".join(name.removesuffix("_mm").replace("_", " ") for name in one.missing)
            yield f"nodule {number} may be {' or '.join(one.possible)}: {facts} not known"


def _uncompared(findings: Sequence[NoduleFacts]) -> Iterator[str]:
    for number, one in enumerate(findings, start=1):
        if one.course is None:
            yield f"nodule {number} could not be compared: the first-study table is used for it"
