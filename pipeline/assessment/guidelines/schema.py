"""`Guideline`: what a guideline's YAML file may hold."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hounsfield.models.measurements.kinds import Margin, Texture
from hounsfield.pipeline.assessment.guidelines.facts import Flag, IntervalChange

Nodules = Literal["single", "multiple"]
Risk = Literal["low", "high"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bounds(_Part):
    """A length in mm: `from` is included, `below` is not."""

    from_mm: float | None = Field(default=None, alias="from", gt=0, allow_inf_nan=False)
    below_mm: float | None = Field(default=None, alias="below", gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _in_order(self) -> Bounds:
        if self.from_mm is None and self.below_mm is None:
            msg = "must have from, below or both"
            raise ValueError(msg)
        if (self.from_mm or 0.0) >= (self.below_mm or math.inf):
            msg = f"from must be less than below, got {self.from_mm} and {self.below_mm}"
            raise ValueError(msg)
        return self


class Rule(_Part):
    """Which nodules have a category; everything that it names must be so.

    Attributes:
        when: Must be known to be so.
        assuming: Must not be known to be otherwise; where it is unknown, the result says that it
            was assumed.
        course: What became of the nodule since an earlier study; such a rule fits no nodule that
            was not compared.
        solid_part_change: The same of its solid part.
    """

    category: str
    texture: tuple[Texture, ...] = Field(min_length=1)
    mean_diameter_mm: Bounds | None = None
    solid_part_mm: Bounds | None = None
    margin: tuple[Margin, ...] | None = None
    course: tuple[IntervalChange, ...] | None = None
    solid_part_change: tuple[IntervalChange, ...] | None = None
    when: dict[Flag, bool] = {}
    assuming: dict[Flag, bool] = {}

    @model_validator(mode="after")
    def _solid_part_of_part_solid(self) -> Rule:
        if self.solid_part_mm is not None and self.texture != (Texture.PART_SOLID,):
            msg = "solid_part_mm needs texture: [part_solid]"
            raise ValueError(msg)
        return self


class FollowUp(_Part):
    """A recommendation; for every number of nodules and every risk unless it says which."""

    text: str = Field(min_length=1)
    nodules: Nodules | None = None
    risk: Risk | None = None


def _plain_text(value: object) -> object:
    return [{"text": value}] if isinstance(value, str) else value


class Category(_Part):
    """A category of nodules or studies.

    Attributes:
        group: Nodules are counted, and follow-up is told, for each group of categories apart.
        follow_up: A text, or a list of texts.
    """

    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    group: str | None = None
    follow_up: Annotated[tuple[FollowUp, ...], BeforeValidator(_plain_text)]

    def texts(self, *, nodules: Nodules, risk: Risk | None) -> tuple[str, ...]:
        """What is recommended; for both risks, each named, where the risk is not known."""
        found = []
        for entry in self.follow_up:
            if entry.nodules in {None, nodules} and (risk is None or entry.risk in {None, risk}):
                whom = [self.group, entry.risk and f"{entry.risk} risk"]
                named = ", ".join(word for word in whom if word)
                found.append(f"{named}: {entry.text}" if named else entry.text)
        return tuple(found)

    @model_validator(mode="after")
    def _told_for_everybody(self) -> Category:
        cases: tuple[tuple[Nodules, Risk], ...] = (
            ("single", "low"),
            ("single", "high"),
            ("multiple", "low"),
            ("multiple", "high"),
        )
        for nodules, risk in cases:
            if not self.texts(nodules=nodules, risk=risk):
                msg = f"follow_up must have a text for {nodules} nodules at {risk} risk"
                raise ValueError(msg)
        return self


class StudyRules(_Part):
    """Categories of studies that no nodule decides.

    Attributes:
        not_evaluable: Of a study whose lungs are cut or whose quality failed; None where the
            guideline has no such category.
    """

    without_nodules: str
    not_evaluable: str | None


class Guideline(_Part):
    """One guideline as data.

    Attributes:
        applies_to: Whom the guideline is for.
        round_to_decimals: Lengths in mm are rounded so before they are compared, half up.
        categories: From the mildest to the worst.
        rules: The first that fits a nodule counts.
        not_assessed: What the guideline asks for and the measurements do not tell, by key.
    """

    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    applies_to: str = Field(min_length=1)
    round_to_decimals: int = Field(ge=0, le=3)
    categories: tuple[Category, ...] = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1)
    study: StudyRules
    not_assessed: dict[str, str] = {}

    def category(self, name: str) -> Category:
        """The category of a name."""
        return next(category for category in self.categories if category.name == name)

    def severity(self, name: str) -> int:
        """0 for the mildest category, more for worse ones."""
        return [category.name for category in self.categories].index(name)

    @property
    def has_growth_rules(self) -> bool:
        """Whether a rule asks what became of a nodule."""
        return any(rule.course or rule.solid_part_change for rule in self.rules)

    @model_validator(mode="after")
    def _names_are_known(self) -> Guideline:
        names = [category.name for category in self.categories]
        if len(set(names)) < len(names):
            msg = f"categories must have different names, got {', '.join(names)}"
            raise ValueError(msg)
        study = (self.study.without_nodules, self.study.not_evaluable)
        for name in itertools.chain((rule.category for rule in self.rules), study):
            if name is not None and name not in names:
                msg = f"category {name!r} must be one of {', '.join(names)}"
                raise ValueError(msg)
        return self
