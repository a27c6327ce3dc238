"""For whom a guideline or a risk model was made, and whether a patient is one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field, model_validator

from hounsfield.preprocessing.documents import Strict

if TYPE_CHECKING:
    from collections.abc import Callable

    from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts

ADULT_FROM_YEARS = 18.0
"""Every network, and so every measurement, comes from the CT of adults."""

Indication = Literal["screening", "incidental"]
INDICATIONS: tuple[Indication, ...] = get_args(Indication)
"""Why a CT may have been made: in screening, or for anything else, with a nodule by chance."""

Condition = Literal["known_cancer", "previous_cancer", "immunosuppressed"]

_MADE_FOR: dict[Indication, str] = {
    "screening": "lung cancer screening",
    "incidental": "nodules found by chance",
}
_CT_WAS: dict[Indication, str] = {
    "screening": "this CT was made for screening",
    "incidental": "this CT was not made for screening",
}
_CONDITION_WORDS: dict[Condition, str] = {
    "known_cancer": "known cancer",
    "previous_cancer": "previous cancer",
    "immunosuppressed": "suppressed immunity",
}
_HAS_CONDITION: dict[Condition, Callable[[ClinicalFacts], bool | None]] = {
    "known_cancer": lambda patient: patient.known_cancer,
    "previous_cancer": lambda patient: patient.previous_cancer,
    "immunosuppressed": lambda patient: patient.immunosuppressed,
}
_AGE_TOLERANCE_YEARS = 1e-6
"""Ages in weeks or days are converted to years in binary fractions."""


class UsualAge(Strict):
    """Ages of the patients whom the source is about, in completed years, both ends included.

    Attributes:
        population: Who they are, with an article: it ends "outside ...".
    """

    from_years: float = Field(alias="from", ge=0)
    to_years: float | None = Field(default=None, alias="to", gt=0)
    population: str = Field(min_length=1)

    @property
    def in_words(self) -> str:
        """The range, such as ``50 to 80 years``."""
        if self.to_years is None:
            return f"{self.from_years:g} years and older"
        return f"{self.from_years:g} to {self.to_years:g} years"

    @model_validator(mode="after")
    def _in_order(self) -> UsualAge:
        if self.to_years is not None and self.to_years < self.from_years:
            msg = f"from must not be above to, got {self.from_years:g} and {self.to_years:g}"
            raise ValueError(msg)
        return self


class Population(Strict):
    """The patients of a guideline or a risk model.

    Attributes:
        source: Publication that says so.
        min_age_years: There is no category, and no probability, for a younger patient.
        usual_age_years: At other ages from `min_age_years` on there is one, with a caution.
        indication: Why the CT was made; for another reason there is no category.
        excludes: Conditions of a patient with which there is no category.
    """

    source: str = Field(min_length=1)
    min_age_years: float = Field(default=ADULT_FROM_YEARS, ge=ADULT_FROM_YEARS)
    usual_age_years: UsualAge | None = None
    indication: Indication | None = None
    excludes: tuple[Condition, ...] = ()


ANY_ADULT = Population(source="the networks, which were trained on adults")
"""Population of a guideline that names none."""


@dataclass(frozen=True, slots=True)
class Applicability:
    """Whether a guideline or a risk model is for a patient.

    Attributes:
        reasons_against: Why it is not, one clause each; empty where nothing known speaks against.
        cautions: What is unusual in a patient for whom it may still be used.
        unknown: Facts about the patient that would settle it and are not known, in words.
    """

    reasons_against: tuple[str, ...]
    cautions: tuple[str, ...]
    unknown: tuple[str, ...]


def applicability(population: Population, patient: ClinicalFacts) -> Applicability:
    """Compare a patient with the population of a guideline or a risk model.

    An unknown fact is neither a reason against it nor ignored: it is listed as unknown.

    Args:
        population: Patients that it is for.
        patient: What is known of the patient.

    Returns:
        The reasons against using it, the cautions, and the unknown facts.
    """
    against, cautions, unknown = [], [], []
    age_years, from_years = patient.age_years, population.min_age_years
    if age_years is None:
        unknown.append(f"the age (it is for patients from {from_years:g} years)")
    elif is_below(age_years, from_years):
        against.append(
            f"it is for patients from {from_years:g} years, and this one is "
            f"{age_in_words(age_years)} old"
        )
    elif (usual := population.usual_age_years) is not None and not _is_usual(age_years, usual):
        cautions.append(
            f"outside {usual.population}: {usual.in_words}, and this patient is "
            f"{age_in_words(age_years)} old"
        )
    if population.indication is not None:
        made_for = _MADE_FOR[population.indication]
        if patient.indication is None:
            unknown.append(f"the reason for the CT (it is for {made_for})")
        elif patient.indication != population.indication:
            against.append(f"it is for {made_for}, and {_CT_WAS[patient.indication]}")
    for condition in population.excludes:
        present = _HAS_CONDITION[condition](patient)
        if present is None:
            unknown.append(_CONDITION_WORDS[condition])
        elif present:
            against.append(f"it is not for patients with {_CONDITION_WORDS[condition]}")
    return Applicability(tuple(against), tuple(cautions), tuple(unknown))


def is_below(age_years: float, limit_years: float) -> bool:
    """Whether an age lies below a limit; one that was converted to years may miss it by a hair.

    Args:
        age_years: Age of a patient in years, completed or not.
        limit_years: Youngest age in years that is not below.
    """
    return age_years < limit_years - _AGE_TOLERANCE_YEARS


def age_in_words(age_years: float) -> str:
    """Write an age as people do: completed years, or completed months in the first year.

    Args:
        age_years: Age in years, 0 or more.

    Returns:
        Words such as ``1 year``, ``64 years`` or ``5 months``.
    """
    years = int(age_years + _AGE_TOLERANCE_YEARS)
    number, unit = (years, "year") if years else (int(12 * age_years + 1e-4), "month")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _is_usual(age_years: float, usual: UsualAge) -> bool:
    completed = int(age_years + _AGE_TOLERANCE_YEARS)
    return usual.from_years <= completed <= (usual.to_years or float("inf"))
