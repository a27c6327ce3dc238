import itertools
import math
from dataclasses import replace

import pytest

from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.risk_models import (
    AGE_YEARS,
    DIAMETER_MM,
    NODULE_COUNT,
    RiskInputs,
    brock,
    mayo,
)

PATIENT = ClinicalFacts(
    age_years=68,
    sex="female",
    family_history=True,
    emphysema=False,
    smoker=True,
    previous_cancer=False,
)
KNOWN = RiskInputs(
    clinical=PATIENT,
    diameter_mm=10,
    texture="solid",
    spiculated=False,
    upper_lobe=True,
    nodule_count=2,
)


def with_facts(inputs, **facts):
    """`inputs` with some facts replaced, be they of the patient or of the nodule."""
    clinical = {name: facts.pop(name) for name in list(facts) if hasattr(PATIENT, name)}
    return replace(inputs, clinical=replace(inputs.clinical, **clinical), **facts)


def odds(probability):
    return probability / (1 - probability)


def test_brock_gives_the_worked_value():
    estimate = brock(KNOWN)
    assert estimate.probability == pytest.approx(0.145887, abs=5e-7)
    assert (estimate.lower, estimate.missing) == (estimate.upper, ())


def test_mayo_gives_a_value_worked_by_hand():
    # Smoker of 65, no cancer before, 12 mm, spiculated, upper lobe:
    # -6.8272 + 0.0391 * 65 + 0.7917 + 0.1274 * 12 + 1.0407 + 0.7838
    # = -6.8272 + 2.5415 + 0.7917 + 1.5288 + 1.0407 + 0.7838 = -0.1407
    # e^0.1407 = 1.15108; 1 / 2.15108 = 0.46488
    estimate = mayo(with_facts(KNOWN, age_years=65, diameter_mm=12, spiculated=True))
    assert estimate.probability == pytest.approx(0.46488, abs=5e-6)


def test_mayo_of_the_mildest_patient_by_hand():
    # Never smoker of 40, no cancer before, 5 mm, smooth, lower lobe:
    # -6.8272 + 1.564 + 0.637 = -4.6262; e^4.6262 = 102.125; 1 / 103.125 = 0.009697
    estimate = mayo(with_facts(KNOWN, age_years=40, diameter_mm=5, smoker=False, upper_lobe=False))
    assert estimate.probability == pytest.approx(0.009697, abs=5e-7)


@pytest.mark.parametrize(
    ("change", "coefficient"),
    [
        ({"age_years": 69}, 0.0287),
        ({"sex": "male"}, -0.6011),
        ({"family_history": False}, -0.2961),
        ({"emphysema": True}, 0.2953),
        ({"texture": "non_solid"}, -0.1276),
        ({"texture": "part_solid"}, 0.3770),
        ({"texture": "calcified"}, 0.0),
        ({"upper_lobe": False}, -0.6581),
        ({"nodule_count": 3}, -0.0824),
        ({"spiculated": True}, 0.7729),
        ({"diameter_mm": 40}, -5.3854 * (0.5 - 1)),
    ],
)
def test_each_input_of_brock_moves_the_log_odds_by_its_coefficient(change, coefficient):
    moved = odds(brock(with_facts(KNOWN, **change)).probability) / odds(brock(KNOWN).probability)
    assert math.log(moved) == pytest.approx(coefficient, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "coefficient"),
    [
        ({"age_years": 69}, 0.0391),
        ({"smoker": False}, -0.7917),
        ({"previous_cancer": True}, 1.3388),
        ({"diameter_mm": 11}, 0.1274),
        ({"spiculated": True}, 1.0407),
        ({"upper_lobe": False}, -0.7838),
        ({"sex": "male"}, 0.0),
    ],
)
def test_each_input_of_mayo_moves_the_log_odds_by_its_coefficient(change, coefficient):
    moved = odds(mayo(with_facts(KNOWN, **change)).probability) / odds(mayo(KNOWN).probability)
    assert math.log(moved) == pytest.approx(coefficient, abs=1e-9)


ENDS = {
    "age_years": (AGE_YEARS[0], 62, AGE_YEARS[1]),
    "sex": ("female", "male"),
    "family_history": (True, False),
    "emphysema": (True, False),
    "smoker": (True, False),
    "previous_cancer": (True, False),
    "diameter_mm": (DIAMETER_MM[0], 12, DIAMETER_MM[1]),
    "texture": ("solid", "part_solid", "non_solid", "calcified"),
    "spiculated": (True, False),
    "upper_lobe": (True, False),
    "nodule_count": (NODULE_COUNT[0], 7, NODULE_COUNT[1]),
}


@pytest.mark.parametrize("model", [brock, mayo])
@pytest.mark.parametrize(
    "missing", [*itertools.combinations(ENDS, 2), ("sex", "age_years", "smoker", "texture")]
)
def test_the_range_spans_exactly_the_values_that_missing_inputs_could_take(model, missing):
    unknown = model(with_facts(KNOWN, **dict.fromkeys(missing)))
    possible = [
        model(with_facts(KNOWN, **dict(zip(missing, values, strict=True)))).probability
        for values in itertools.product(*(ENDS[name] for name in missing))
    ]
    assert unknown.lower == pytest.approx(min(possible), abs=1e-12)
    assert unknown.upper == pytest.approx(max(possible), abs=1e-12)
    inputs = {*model(KNOWN).used}
    assert {*unknown.missing} == inputs & {*missing}
    assert {*unknown.used} == inputs - {*missing}
    assert (unknown.probability is None) == bool(unknown.missing)


def test_without_any_input_there_is_a_range_but_no_probability():
    for model in (brock, mayo):
        estimate = model(RiskInputs())
        assert 0 < estimate.lower < estimate.upper < 1
        assert (estimate.probability, estimate.used) == (None, {})


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"diameter_mm": 0.0}, "diameter_mm must be above 0, got 0.0"),
        ({"nodule_count": 0}, "nodule_count must be 1 or more, got 0"),
        ({"texture": "ground_glass"}, "texture must be one of solid"),
    ],
)
def test_impossible_inputs_are_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        RiskInputs(**facts)
