"""Whether a rule fits a nodule: yes, no, or not known, because a fact is missing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from hounsfield.pipeline.assessment.guidelines.facts import FLAG_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hounsfield.models.measurements.kinds import Texture
    from hounsfield.pipeline.assessment.guidelines.facts import NoduleFacts
    from hounsfield.pipeline.assessment.guidelines.schema import Bounds, Rule


@dataclass(frozen=True, slots=True)
class Fit:
    """How a rule fits a nodule.

    Attributes:
        fits: None where that cannot be told.
        missing: The facts that would tell.
        assumed: Conditions that were taken to be met without being known, as words.
    """

    fits: bool | None
    missing: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def rounded_mm(length_mm: float, decimals: int) -> float:
    """Rounds as people do: half up, on the decimal digits that the number is written with.

    Binary rounding would turn 6.05, which is stored as 6.0499..., into 6.0.
    """
    step = Decimal(1).scaleb(-decimals)
    return float(Decimal(repr(float(length_mm))).quantize(step, rounding=ROUND_HALF_UP))


def fit(rule: Rule, nodule: NoduleFacts, *, decimals: int) -> Fit:
    """Compares a nodule with a rule; lengths are rounded to `decimals` first."""
    answers = dict(_answers(rule, nodule, decimals))
    if False in answers.values():
        return Fit(fits=False)
    missing = tuple(name for name, answer in answers.items() if answer is None)
    assumed = tuple(
        FLAG_WORDS[flag] if wanted else f"not {FLAG_WORDS[flag]}"
        for flag, wanted in rule.assuming.items()
        if getattr(nodule, flag) is None
    )
    return Fit(fits=None if missing else True, missing=missing, assumed=assumed)


def in_words(rule: Rule, texture: Texture | None) -> str:
    """The rule for one texture, or for all of its own: "solid, mean diameter below 6 mm"."""
    textures = rule.texture if texture is None else (texture,)
    parts = [" or ".join(name.replace("_", "-") for name in textures)]
    if rule.mean_diameter_mm:
        parts.append(f"mean diameter {_range_in_words(rule.mean_diameter_mm)}")
    if rule.solid_part_mm:
        parts.append(f"solid part {_range_in_words(rule.solid_part_mm)}")
    if rule.margin:
        parts.append(" or ".join(rule.margin))
    if rule.course:
        parts.append(" or ".join(rule.course))
    if rule.solid_part_change:
        parts.append(f"solid part {' or '.join(rule.solid_part_change)}")
    for flag, wanted in (*rule.when.items(), *rule.assuming.items()):
        parts.append(FLAG_WORDS[flag] if wanted else f"not {FLAG_WORDS[flag]}")
    return ", ".join(parts)


def _answers(rule: Rule, nodule: NoduleFacts, decimals: int) -> Iterator[tuple[str, bool | None]]:
    """Each condition of the rule by the fact that it asks for; None where that is unknown."""
    texture = nodule.texture
    yield "texture", None if texture is None else texture in rule.texture
    diameter_mm = rounded_mm(nodule.mean_diameter_mm, decimals)
    if rule.mean_diameter_mm:
        yield "mean_diameter_mm", _within(rule.mean_diameter_mm, diameter_mm, diameter_mm)
    if rule.solid_part_mm:
        # Unknown, it is still no larger than the nodule.
        solid_mm = nodule.solid_part_mm
        least = 0.0 if solid_mm is None else rounded_mm(solid_mm, decimals)
        most = diameter_mm if solid_mm is None else least
        yield "solid_part_mm", _within(rule.solid_part_mm, least, most)
    if rule.margin:
        yield "margin", None if nodule.margin is None else nodule.margin in rule.margin
    # Nothing known means not compared, which is no missing fact: the other rules are for that.
    if rule.course:
        yield "course", nodule.course in rule.course
    if rule.solid_part_change:
        yield "solid_part_change", nodule.solid_part_change in rule.solid_part_change
    for flag, wanted in rule.when.items():
        value = getattr(nodule, flag)
        yield flag, None if value is None else value == wanted
    for flag, wanted in rule.assuming.items():
        yield flag, getattr(nodule, flag) in {None, wanted}


def _within(bounds: Bounds, least_mm: float, most_mm: float) -> bool | None:
    """Whether a length between `least_mm` and `most_mm` is within bounds; None for some of them."""
    from_mm = 0.0 if bounds.from_mm is None else bounds.from_mm
    below_mm = float("inf") if bounds.below_mm is None else bounds.below_mm
    if most_mm < from_mm or least_mm >= below_mm:
        return False
    return True if least_mm >= from_mm and most_mm < below_mm else None


def _range_in_words(bounds: Bounds) -> str:
    words = [] if bounds.from_mm is None else [f"from {bounds.from_mm:g}"]
    if bounds.below_mm is not None:
        words.append(f"{'to ' if words else ''}below {bounds.below_mm:g}")
    return f"{' '.join(words)} mm"
