"""Published models of the risk that a nodule is cancer, from image and clinical data together.

A missing input is not guessed: the result is then the range over all values that it could have.
Both models are sums of terms inside a logistic function, each term with an input of its own that
never changes direction, so the ends of each term's range give the ends of the whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hounsfield.models.measurements.kinds import Texture
from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

AGE_YEARS = (18.0, 100.0)
DIAMETER_MM = (1.0, 100.0)
NODULE_COUNT = (1, 50)
"""How far an unknown age, diameter or count is taken to go. Known ones may lie outside."""

BROCK = "Brock (full model 2b)"
BROCK_SOURCE = "McWilliams et al., N Engl J Med 2013;369:910-919, doi:10.1056/NEJMoa1214726"
MAYO = "Mayo"
MAYO_SOURCE = (
    "Swensen et al., Arch Intern Med 1997;157:849-855, doi:10.1001/archinte.1997.00440290031002"
)

_TEXTURES: dict[Texture, float] = {
    Texture.SOLID: 0.0,
    Texture.PART_SOLID: 0.3770,
    Texture.NON_SOLID: -0.1276,
    Texture.CALCIFIED: 0.0,
}
"""Brock's coefficients; it knows no calcified nodules, which count as the solid ones they are."""

Value = float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskInputs:
    """What the models ask for; None is unknown.

    Attributes:
        clinical: Of the patient.
        diameter_mm: The longest diameter of the nodule.
        texture: What it is made of.
        spiculated: Whether its margin is.
        upper_lobe: Whether it lies in one.
        nodule_count: Nodules in the study, this one included.

    Raises:
        ValueError: The diameter or the count is not possible.
    """

    clinical: ClinicalFacts = field(default_factory=ClinicalFacts)
    diameter_mm: float | None = None
    texture: Texture | None = None
    spiculated: bool | None = None
    upper_lobe: bool | None = None
    nodule_count: int | None = None

    def __post_init__(self) -> None:
        if self.diameter_mm is not None and not 0 < self.diameter_mm < math.inf:
            msg = f"diameter_mm must be above 0, got {self.diameter_mm}"
            raise ValueError(msg)
        if self.nodule_count is not None and self.nodule_count < 1:
            msg = f"nodule_count must be 1 or more, got {self.nodule_count}"
            raise ValueError(msg)
        if self.texture is not None and self.texture not in _TEXTURES:
            msg = f"texture must be one of {', '.join(_TEXTURES)}, got {self.texture!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class RiskEstimate:
    """The probability of cancer that a model gives.

    Attributes:
        model: Its name.
        source: Where it is published.
        least: 0 to 1, over all values that the missing inputs could have.
        most: The same; equal to `least` where nothing is missing.
        used: The inputs that were known, by name.
        missing: The inputs that were not.
    """

    model: str
    source: str
    least: float
    most: float
    used: Mapping[str, Value]
    missing: tuple[str, ...]

    @property
    def probability(self) -> float | None:
        """0 to 1; None where an input is missing and only the range is known."""
        return None if self.missing else self.least


def brock(inputs: RiskInputs) -> RiskEstimate:
    """The probability of cancer by the full model with spiculation (2b) of McWilliams et al.

    Made from smokers and former smokers of 50 to 75 years in screening.
    """
    clinical = inputs.clinical
    return _estimate(
        BROCK,
        BROCK_SOURCE,
        -6.7892,
        (
            _term("age_years", clinical.age_years, lambda age: 0.0287 * (age - 62), AGE_YEARS),
            _choice("sex", clinical.sex, {"female": 0.6011, "male": 0.0}),
            _flag("family_history", clinical.family_history, 0.2961),
            _flag("emphysema", clinical.emphysema, 0.2953),
            _term("diameter_mm", inputs.diameter_mm, _brock_size, DIAMETER_MM),
            _choice("texture", inputs.texture, _TEXTURES),
            _flag("upper_lobe", inputs.upper_lobe, 0.6581),
            _term("nodule_count", inputs.nodule_count, lambda n: -0.0824 * (n - 4), NODULE_COUNT),
            _flag("spiculated", inputs.spiculated, 0.7729),
        ),
    )


def mayo(inputs: RiskInputs) -> RiskEstimate:
    """The probability of cancer by the model of Swensen et al.

    Made from single nodules of 4 to 30 mm, in patients without cancer in the last 5 years.
    """
    clinical = inputs.clinical
    return _estimate(
        MAYO,
        MAYO_SOURCE,
        -6.8272,
        (
            _term("age_years", clinical.age_years, lambda age: 0.0391 * age, AGE_YEARS),
            _flag("smoker", clinical.smoker, 0.7917),
            _flag("previous_cancer", clinical.previous_cancer, 1.3388),
            _term("diameter_mm", inputs.diameter_mm, lambda mm: 0.1274 * mm, DIAMETER_MM),
            _flag("spiculated", inputs.spiculated, 1.0407),
            _flag("upper_lobe", inputs.upper_lobe, 0.7838),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Term:
    """What one input adds; `least` and `most` differ where its value is unknown."""

    name: str
    value: Value | None
    least: float
    most: float


def _term(
    name: str,
    value: float | None,
    adds: Callable[[float], float],
    bounds: tuple[float, float],
) -> _Term:
    """The term of a number; `adds` only rises or only falls."""
    ends = [adds(one) for one in (bounds if value is None else (value,))]
    return _Term(name, value, min(ends), max(ends))


def _choice(name: str, value: str | None, adds: Mapping[Any, float]) -> _Term:
    """The term of an input that is one of a few words."""
    ends = list(adds.values()) if value is None else [adds[value]]
    return _Term(name, value, min(ends), max(ends))


def _flag(name: str, value: bool | None, coefficient: float) -> _Term:
    """The term of an input that is so or not."""
    ends = (0.0, coefficient) if value is None else (coefficient * value,)
    return _Term(name, value, min(ends), max(ends))


def _brock_size(diameter_mm: float) -> float:
    return -5.3854 * (1 / math.sqrt(diameter_mm / 10) - 1.58113883)


def _estimate(model: str, source: str, intercept: float, terms: Sequence[_Term]) -> RiskEstimate:
    return RiskEstimate(
        model,
        source,
        least=_logistic(intercept + sum(term.least for term in terms)),
        most=_logistic(intercept + sum(term.most for term in terms)),
        used={term.name: term.value for term in terms if term.value is not None},
        missing=tuple(term.name for term in terms if term.value is None),
    )


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
