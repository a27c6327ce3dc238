"""Finds and reads guidelines; refuses one that leaves a nodule without a category."""

from __future__ import annotations

import itertools
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from hounsfield.models.kinds import Margin, Texture
from hounsfield.pipeline.assessment.guidelines.facts import Flag, NoduleFacts
from hounsfield.pipeline.assessment.guidelines.rules import match_rule
from hounsfield.pipeline.assessment.guidelines.schema import Guideline
from hounsfield.preprocessing.documents import read_document
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hounsfield.pipeline.assessment.guidelines.schema import Bounds

GUIDELINES_FOLDER = Path(__file__).parent
_MIN_MM = 0.001
"""Stands for every length below the smallest bound."""


def guideline_names() -> tuple[str, ...]:
    """Returns the names of the guidelines that are part of the package."""
    return tuple(sorted(file.stem for file in GUIDELINES_FOLDER.glob("*.yaml")))


def load_guideline(name_or_file: str | Path) -> Guideline:
    """Reads a guideline.

    Args:
        name_or_file: One of `guideline_names`, or the path of a YAML file.

    Returns:
        The guideline, checked to have a category for every nodule.

    Raises:
        UsageError: The file is missing or no YAML, a key or value is unknown, or some nodule
            would have no category.
    """
    path = _find(name_or_file)
    guideline = read_document(path, Guideline)
    for nodule in _representative_nodules(guideline):
        if not _has_category(nodule, guideline):
            facts = {field.name: getattr(nodule, field.name) for field in fields(nodule)}
            known = ", ".join(f"{k} {v}" for k, v in facts.items() if v is not None)
            msg = f"{path}: rules: must give every nodule a category, but none applies to {known}"
            raise UsageError(msg)
    return guideline


def _find(name_or_file: str | Path) -> Path:
    path = Path(name_or_file)
    if path.is_file():
        return path
    if (named := GUIDELINES_FOLDER / f"{name_or_file}.yaml").is_file():
        return named
    names = ", ".join(guideline_names())
    msg = f"a guideline must be a YAML file or one of: {names}; got {str(name_or_file)!r}"
    raise UsageError(msg)


def _has_category(nodule: NoduleFacts, guideline: Guideline) -> bool:
    decimals = guideline.round_to_decimals
    return any(match_rule(rule, nodule, decimals=decimals).applies for rule in guideline.rules)


def _representative_nodules(guideline: Guideline) -> Iterator[NoduleFacts]:
    """Yields one nodule for each combination of facts that the rules tell apart.

    The bounds cut lengths into ranges that start at a bound, so the bounds stand for all lengths.
    No nodule was compared with a prior study: rules on interval change only narrow the others.
    """
    rules = guideline.rules
    diameters = _range_starts(rule.mean_diameter_mm for rule in rules)
    solid_parts = _range_starts(rule.solid_part_mm for rule in rules)
    margins = tuple(Margin) if any(rule.margin for rule in rules) else (None,)
    named = {flag for rule in rules for flag in (*rule.when, *rule.assuming)}
    flags = [flag for flag in get_args(Flag) if flag in named]
    for texture, diameter_mm, margin in itertools.product(Texture, diameters, margins):
        inner = [mm for mm in solid_parts if mm <= diameter_mm]
        for solid_mm in inner if texture is Texture.PART_SOLID else [None]:
            for values in itertools.product((True, False), repeat=len(flags)):
                yield NoduleFacts(
                    texture=texture,
                    mean_diameter_mm=diameter_mm,
                    solid_part_mm=solid_mm,
                    margin=margin,
                    **dict(zip(flags, values, strict=True)),
                )


def _range_starts(bounds: Iterator[Bounds | None]) -> list[float]:
    ends = {mm for b in bounds if b is not None for mm in (b.from_mm, b.below_mm) if mm is not None}
    return sorted({_MIN_MM, *ends})
