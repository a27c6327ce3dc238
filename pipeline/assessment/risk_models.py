"""Published models of the probability that a nodule is cancer, from imaging and clinical data.

A missing input is never guessed: the result is then the range over all values it could take. Both
models are logistic functions of a sum of terms, each a monotonic function of one input, so the
ends of each term's range give the ends of the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hounsfield.models.kinds import Texture
from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.population import Population, UsualAge, applicability

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

AGE_YEARS = (18.0, 100.0)
DIAMETER_MM = (1.0, 100.0)
NODULE_COUNT = (1, 50)
"""Range of an unknown age, diameter or count. Known values may lie outside it."""

BROCK = "Brock (full model 2b)"
BROCK_SOURCE = "McWilliams et al., N Engl J Med 2013;369:910-919, doi:10.1056/NEJMoa1214726"
MAYO = "Mayo"
MAYO_SOURCE = (
    "Swensen et al., Arch Intern Med 1997;157:849-855, doi:10.1001/archinte.1997.00440290031002"
)

BROCK_POPULATION = Population(
    source=f"{BROCK_SOURCE}: screening at 50 to 75 years, no earlier lung cancer",
    usual_age_years=UsualAge.model_validate(
        {"from": 50, "to": 75, "population": "the population that the model was derived from"}
    ),
    excludes=("known_cancer",),
)
"""Adults of other ages get a probability with a caution: the British Thoracic Society uses the
model for them too (Callister et al., Thorax 2015;70 Suppl 2:ii1-ii54)."""

MAYO_POPULATION = Population(
    source=f"{MAYO_SOURCE}: no cancer in the last 5 years, no earlier lung cancer",
    excludes=("known_cancer",),
)
"""The paper states no ages; under 18 years there is no probability, as for every model."""

_BROCK_TEXTURES: dict[Texture, float] = {
    Texture.SOLID: 0.0,
    Texture.PART_SOLID: 0.3770,
    Texture.NON_SOLID: -0.1276,
    Texture.CALCIFIED: 0.0,
}
"""Coefficients of the Brock model, which has no calcified nodules; they count as solid."""

Value = float | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskInputs:
    """Inputs of the models; None is unknown.

    Attributes:
        clinical: Clinical data of the patient.
        diameter_mm: Longest diameter of the nodule.
        texture: Attenuation type of the nodule.
        spiculated: Whether the margin is spiculated.
        upper_lobe: Whether the nodule lies in an upper lobe.
        nodule_count: Number of nodules in the study, this one included.

    Raises:
        ValueError: Diameter, count or texture is out of range.
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
        if self.texture is not None and self.texture not in _BROCK_TEXTURES:
            msg = f"texture must be one of {', '.join(_BROCK_TEXTURES)}, got {self.texture!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class RiskEstimate:
    """The probability of cancer that a model gives.

    Attributes:
        model: Name of the model.
        source: The publication of the model.
        lower: Lowest probability, 0 to 1, over all values that the missing inputs could take.
        upper: Highest probability; equal to `lower` where no input is missing.
        used: Known inputs, by name.
        missing: Names of the unknown inputs.
        cautions: What is unusual in the patient for this model.
    """

    model: str
    source: str
    lower: float
    upper: float
    used: Mapping[str, Value]
    missing: tuple[str, ...]
    cautions: tuple[str, ...] = ()

    @property
    def probability(self) -> float | None:
        """Probability from 0 to 1; None where a missing input leaves only the range."""
        return None if self.missing else self.lower


def brock(inputs: RiskInputs) -> RiskEstimate:
    """Computes the probability of cancer by the full model with spiculation, 2b.

    Source: McWilliams et al. (see `BROCK_SOURCE`), derived from current and former smokers aged
    50 to 75 years in screening.

    Args:
        inputs: Nodule and patient; unknown inputs widen the range. Whether the model is for the
            patient is not asked here (`applicability`).

    Returns:
        The probability, or its range.
    """
    clinical = inputs.clinical
    return _estimate(
        BROCK,
        BROCK_SOURCE,
        applicability(BROCK_POPULATION, clinical).cautions,
        -6.7892,
        (
            _term("age_years", clinical.age_years, lambda age: 0.0287 * (age - 62), AGE_YEARS),
            _choice("sex", clinical.sex, {"female": 0.6011, "male": 0.0}),
            _flag("family_history", clinical.family_history, 0.2961),
            _flag("emphysema", clinical.emphysema, 0.2953),
            _term("diameter_mm", inputs.diameter_mm, _brock_size, DIAMETER_MM),
            _choice("texture", inputs.texture, _BROCK_TEXTURES),
            _flag("upper_lobe", inputs.upper_lobe, 0.6581),
            _term("nodule_count", inputs.nodule_count, lambda n: -0.0824 * (n - 4), NODULE_COUNT),
            _flag("spiculated", inputs.spiculated, 0.7729),
        ),
    )


def mayo(inputs: RiskInputs) -> RiskEstimate:
    """Computes the probability of cancer by the Mayo model.

    Source: Swensen et al. (see `MAYO_SOURCE`), derived from single nodules of 4 to 30 mm in
    patients without cancer in the last 5 years.

    Args:
        inputs: Nodule and patient; unknown inputs widen the range. Whether the model is for the
            patient is not asked here (`applicability`).

    Returns:
        The probability, or its range.
    """
    clinical = inputs.clinical
    return _estimate(
        MAYO,
        MAYO_SOURCE,
        applicability(MAYO_POPULATION, clinical).cautions,
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
    """Contribution of one input to the log odds; the bounds differ where its value is unknown."""

    name: str
    value: Value | None
    lower: float
    upper: float


def _term(
    name: str,
    value: float | None,
    contribution: Callable[[float], float],
    bounds: tuple[float, float],
) -> _Term:
    """Makes the term of a number; `contribution` is monotonic."""
    ends = [contribution(number) for number in (bounds if value is None else (value,))]
    return _Term(name, value, min(ends), max(ends))


def _choice(name: str, value: str | None, contributions: Mapping[Any, float]) -> _Term:
    """Makes the term of a categorical input."""
    ends = list(contributions.values()) if value is None else [contributions[value]]
    return _Term(name, None if value is None else str(value), min(ends), max(ends))


def _flag(name: str, value: bool | None, coefficient: float) -> _Term:
    """Makes the term of a yes-or-no input."""
    ends = (0.0, coefficient) if value is None else (coefficient * value,)
    return _Term(name, value, min(ends), max(ends))


def _brock_size(diameter_mm: float) -> float:
    return -5.3854 * (1 / math.sqrt(diameter_mm / 10) - 1.58113883)


def _estimate(
    model: str, source: str, cautions: tuple[str, ...], intercept: float, terms: Sequence[_Term]
) -> RiskEstimate:
    return RiskEstimate(
        model,
        source,
        lower=_logistic(intercept + sum(term.lower for term in terms)),
        upper=_logistic(intercept + sum(term.upper for term in terms)),
        used={term.name: term.value for term in terms if term.value is not None},
        missing=tuple(term.name for term in terms if term.value is None),
        cautions=cautions,
    )


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
