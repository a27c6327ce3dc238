"""Finds and reads guidelines; one that leaves a nodule without a category is refused."""

from __future__ import annotations

import itertools
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from hounsfield.models.measurements.kinds import Margin, Texture
from hounsfield.pipeline.assessment.guidelines.facts import Flag, NoduleFacts
from hounsfield.pipeline.assessment.guidelines.rules import fit
from hounsfield.pipeline.assessment.guidelines.schema import Guideline
from hounsfield.pipeline.config import read_yaml
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDELINES_FOLDER = Path(__file__).parent
_MIN_MM = 0.001
"""Stands for every length that is below all bounds."""


def guideline_names() -> tuple[str, ...]:
    """The guidelines that come with the program."""
    return tuple(sorted(file.stem for file in GUIDELINES_FOLDER.glob("*.yaml")))


def load_guideline(name_or_file: str | Path) -> Guideline:
    """Reads a guideline.

    Args:
        name_or_file: One of `guideline_names`, or the path of a YAML file.

    Raises:
        UsageError: There is no such file, it is not YAML, a key or value is not known, or some
            nodule would have no category.
    """
    path = _find(name_or_file)
    try:
        guideline = Guideline.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        got = f", got {first['input']!r}" if isinstance(first["input"], str | int | float) else ""
        msg = f"{path}: {f'{key}: ' if key else ''}{said}{got}"
        raise UsageError(msg) from error
    for nodule in _every_kind(guideline):
        fits = (fit(rule, nodule, decimals=guideline.round_to_decimals) for rule in guideline.rules)
        if not any(one.fits for one in fits):
            known = {f.name: getattr(nodule, f.name) for f in fields(nodule)}
            told = ", ".join(f"{k} {v}" for k, v in known.items() if v is not None)
            msg = f"{path}: rules: must give every nodule a category, but none fits {told}"
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


def _every_kind(guideline: Guideline) -> Iterator[NoduleFacts]:
    """One nodule for each of the kinds that the rules tell apart.

    The bounds cut lengths into ranges that start at a bound, so the bounds stand for all lengths.
    None was compared with an earlier study: rules that ask for growth only take from the others.
    """
    rules = guideline.rules
    diameters = _starts(rule.mean_diameter_mm for rule in rules)
    solid_parts = _starts(rule.solid_part_mm for rule in rules)
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


def _starts(bounds: Iterator[Any]) -> list[float]:
    given = [one for one in bounds if one is not None]
    ends = {mm for one in given for mm in (one.from_mm, one.below_mm) if mm is not None}
    return sorted({_MIN_MM, *ends})
