"""`Guideline`: the schema of a guideline's YAML file."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from hounsfield.models.kinds import Margin, Texture
from hounsfield.pipeline.assessment.guidelines.facts import Flag, IntervalChange
from hounsfield.pipeline.assessment.population import ANY_ADULT, Population
from hounsfield.preprocessing.documents import Strict

Nodules = Literal["single", "multiple"]
Risk = Literal["low", "high"]


class Bounds(Strict):
    """Range of a length in mm: `from` is included, `below` is not."""

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


class Rule(Strict):
    """Conditions for a category; all that are named must be met.

    Attributes:
        when: Flags that must be known to have the given value.
        assuming: Flags that must not be known to have another value; where one is unknown, the
            result states the assumption.
        interval_change: Changes since a prior study, of which one must be the nodule's; a rule
            with this key never applies to a nodule that was not compared.
        solid_part_change: Changes of the solid part, likewise.
    """

    category: str
    texture: tuple[Texture, ...] = Field(min_length=1)
    mean_diameter_mm: Bounds | None = None
    solid_part_mm: Bounds | None = None
    margin: tuple[Margin, ...] | None = None
    interval_change: tuple[IntervalChange, ...] | None = None
    solid_part_change: tuple[IntervalChange, ...] | None = None
    when: dict[Flag, bool] = Field(default_factory=dict)
    assuming: dict[Flag, bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _solid_part_of_part_solid(self) -> Rule:
        if self.solid_part_mm is not None and self.texture != (Texture.PART_SOLID,):
            msg = "solid_part_mm needs texture: [part_solid]"
            raise ValueError(msg)
        return self


class FollowUp(Strict):
    """A recommendation; it holds for any number of nodules and any risk unless restricted."""

    text: str = Field(min_length=1)
    nodules: Nodules | None = None
    risk: Risk | None = None


def _plain_text(value: object) -> object:
    return [{"text": value}] if isinstance(value, str) else value


class Category(Strict):
    """A category of nodules or studies.

    Attributes:
        group: Group of categories; nodules are counted, and follow-up is given, for each group.
        follow_up: A text, or a list of texts for different numbers of nodules and risks.
    """

    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    group: str | None = None
    follow_up: Annotated[tuple[FollowUp, ...], BeforeValidator(_plain_text)]

    def texts(self, *, nodules: Nodules, risk: Risk | None) -> tuple[str, ...]:
        """Selects the recommendations.

        Args:
            nodules: Whether the group has one nodule or several.
            risk: Risk of the patient; None is unknown and selects the texts for both, each named.

        Returns:
            The texts, each preceded by its group and risk where it has them.
        """
        selected = []
        for entry in self.follow_up:
            if entry.nodules in {None, nodules} and (risk is None or entry.risk in {None, risk}):
                scope = [self.group, entry.risk and f"{entry.risk} risk"]
                prefix = ", ".join(word for word in scope if word)
                selected.append(f"{prefix}: {entry.text}" if prefix else entry.text)
        return tuple(selected)

    @model_validator(mode="after")
    def _covers_every_patient(self) -> Category:
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


class StudyRules(Strict):
    """Categories of studies that do not follow from a nodule.

    Attributes:
        without_nodules: Category of a study without nodules.
        not_evaluable: Category of a study with incomplete lungs or insufficient image quality;
            None where the guideline has no such category.
    """

    without_nodules: str
    not_evaluable: str | None


class Guideline(Strict):
    """One guideline as data.

    Attributes:
        title: Name and edition of the guideline.
        source: Publication of its table.
        applies_to: Patients that the guideline is for, in words.
        population: Ages, indication and conditions outside which a patient gets no category; by
            default any adult is inside.
        round_to_decimals: Decimals to which lengths in mm are rounded, half up, before they are
            compared.
        categories: Categories, from the least to the most suspicious.
        rules: Rules in order; the first that applies to a nodule decides.
        study: Categories of studies that do not follow from a nodule.
        not_assessed: Criteria of the guideline that are not measured, by key.
    """

    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    applies_to: str = Field(min_length=1)
    population: Population = ANY_ADULT
    round_to_decimals: int = Field(ge=0, le=3)
    categories: tuple[Category, ...] = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1)
    study: StudyRules
    not_assessed: dict[str, str] = Field(default_factory=dict)

    def category(self, name: str) -> Category:
        """Returns the category of a name."""
        return next(category for category in self.categories if category.name == name)

    def severity(self, name: str) -> int:
        """Returns the rank of a category: 0 for the least suspicious."""
        return [category.name for category in self.categories].index(name)

    @property
    def has_growth_rules(self) -> bool:
        """Whether a rule depends on interval change."""
        return any(rule.interval_change or rule.solid_part_change for rule in self.rules)

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
