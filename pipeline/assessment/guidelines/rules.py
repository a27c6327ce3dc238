"""Matches a rule with a nodule: it applies, it does not, or a missing fact leaves it open."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from hounsfield.pipeline.assessment.guidelines.facts import FLAG_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hounsfield.models.kinds import Texture
    from hounsfield.pipeline.assessment.guidelines.facts import NoduleFacts
    from hounsfield.pipeline.assessment.guidelines.schema import Bounds, Rule


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """Result of matching a rule with a nodule.

    Attributes:
        applies: Whether the rule applies; None where a missing fact leaves it open.
        missing: Names of the facts that would settle it.
        assumed: Conditions that are unknown and were taken to be met, in words.
    """

    applies: bool | None
    missing: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


def rounded_mm(length_mm: float, decimals: int) -> float:
    """Rounds half up, on the decimal digits of the number.

    Binary rounding would turn 6.05, which is stored as 6.0499..., into 6.0.

    Args:
        length_mm: Length in mm; finite.
        decimals: Digits kept after the decimal point, 0 or more.

    Returns:
        The rounded length in mm.
    """
    step = Decimal(1).scaleb(-decimals)
    return float(Decimal(repr(float(length_mm))).quantize(step, rounding=ROUND_HALF_UP))


def match_rule(rule: Rule, nodule: NoduleFacts, *, decimals: int) -> RuleMatch:
    """Checks every condition of a rule against a nodule.

    Args:
        rule: Rule of a guideline.
        nodule: Facts about the nodule, lengths not rounded.
        decimals: Digits to which lengths are rounded before they are compared.

    Returns:
        Whether the rule applies, and the facts that are missing or assumed.
    """
    conditions = dict(_conditions(rule, nodule, decimals))
    if False in conditions.values():
        return RuleMatch(applies=False)
    missing = tuple(name for name, is_met in conditions.items() if is_met is None)
    assumed = tuple(
        FLAG_WORDS[flag] if required else f"not {FLAG_WORDS[flag]}"
        for flag, required in rule.assuming.items()
        if getattr(nodule, flag) is None
    )
    return RuleMatch(applies=None if missing else True, missing=missing, assumed=assumed)


def in_words(rule: Rule, texture: Texture | None) -> str:
    """Writes a rule out, such as "solid, mean diameter below 6 mm".

    Args:
        rule: Rule of a guideline.
        texture: Texture of the nodule; None names all textures of the rule.

    Returns:
        The conditions, separated by commas.
    """
    textures = rule.texture if texture is None else (texture,)
    parts = [" or ".join(name.replace("_", "-") for name in textures)]
    if rule.mean_diameter_mm:
        parts.append(f"mean diameter {_bounds_in_words(rule.mean_diameter_mm)}")
    if rule.solid_part_mm:
        parts.append(f"solid part {_bounds_in_words(rule.solid_part_mm)}")
    if rule.margin:
        parts.append(" or ".join(rule.margin))
    if rule.interval_change:
        parts.append(" or ".join(rule.interval_change))
    if rule.solid_part_change:
        parts.append(f"solid part {' or '.join(rule.solid_part_change)}")
    for flag, required in (*rule.when.items(), *rule.assuming.items()):
        parts.append(FLAG_WORDS[flag] if required else f"not {FLAG_WORDS[flag]}")
    return ", ".join(parts)


def _conditions(
    rule: Rule, nodule: NoduleFacts, decimals: int
) -> Iterator[tuple[str, bool | None]]:
    """Yields each fact that the rule asks for and whether its condition is met; None if unknown."""
    texture = nodule.texture
    yield "texture", None if texture is None else texture in rule.texture
    diameter_mm = rounded_mm(nodule.mean_diameter_mm, decimals)
    if rule.mean_diameter_mm:
        yield "mean_diameter_mm", _within(rule.mean_diameter_mm, diameter_mm, diameter_mm)
    if rule.solid_part_mm:
        # An unknown solid part is still no larger than the nodule.
        solid_mm = nodule.solid_part_mm
        min_mm = 0.0 if solid_mm is None else rounded_mm(solid_mm, decimals)
        max_mm = diameter_mm if solid_mm is None else min_mm
        yield "solid_part_mm", _within(rule.solid_part_mm, min_mm, max_mm)
    if rule.margin:
        yield "margin", None if nodule.margin is None else nodule.margin in rule.margin
    # None means not compared, which is no missing fact: the rules without a change are for that.
    if rule.interval_change:
        yield "interval_change", nodule.interval_change in rule.interval_change
    if rule.solid_part_change:
        yield "solid_part_change", nodule.solid_part_change in rule.solid_part_change
    for flag, required in rule.when.items():
        value = getattr(nodule, flag)
        yield flag, None if value is None else value == required
    for flag, required in rule.assuming.items():
        yield flag, getattr(nodule, flag) in {None, required}


def _within(bounds: Bounds, min_mm: float, max_mm: float) -> bool | None:
    """Whether a length from `min_mm` to `max_mm` is within bounds; None if only in part."""
    from_mm = 0.0 if bounds.from_mm is None else bounds.from_mm
    below_mm = float("inf") if bounds.below_mm is None else bounds.below_mm
    if max_mm < from_mm or min_mm >= below_mm:
        return False
    return True if min_mm >= from_mm and max_mm < below_mm else None


def _bounds_in_words(bounds: Bounds) -> str:
    words = [] if bounds.from_mm is None else [f"from {bounds.from_mm:g}"]
    if bounds.below_mm is not None:
        words.append(f"{'to ' if words else ''}below {bounds.below_mm:g}")
    return f"{' '.join(words)} mm"
