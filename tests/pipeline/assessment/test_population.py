"""A guideline is for its population: outside it there is no category, and a reason."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.models.kinds import Margin, Texture
from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.guidelines import guideline_names, load_guideline
from hounsfield.pipeline.assessment.guidelines.categories import NOT_FOR_THIS_PATIENT
from hounsfield.pipeline.assessment.population import age_in_words
from hounsfield.pipeline.assessment.proposals import propose_categories
from tests.pipeline.assessment.findings import make_finding, make_measurements

GUIDELINES = {name: load_guideline(name) for name in guideline_names()}
MOST_SUSPICIOUS = {"lung_rads_2022": "4B", "c_lung_rads": "4", "fleischner_2017": "solid over 8 mm"}
SCREENED = ClinicalFacts(age_years=60, indication="screening", known_cancer=False)
SUITABLE = {
    "lung_rads_2022": SCREENED,
    "c_lung_rads": SCREENED,
    "fleischner_2017": ClinicalFacts(
        age_years=60,
        indication="incidental",
        known_cancer=False,
        previous_cancer=False,
        immunosuppressed=False,
    ),
}
LARGE = make_finding(
    measurements=make_measurements(
        mean_diameter_mm=24.0,
        texture=Texture.SOLID,
        margin=Margin.LOBULATED,
        pleura_distance_mm=9.0,
    )
)


def proposed(name, patient):
    (proposal,) = propose_categories({name: GUIDELINES[name]}, [LARGE], [], patient=patient)
    return proposal.study


@pytest.mark.parametrize("name", guideline_names())
def test_a_patient_in_the_population_has_a_category_without_a_caution(name):
    study = proposed(name, SUITABLE[name])
    assert (study.category, study.cautions) == (MOST_SUSPICIOUS[name], ())
    assert study.outside_population is None


@pytest.mark.parametrize("name", guideline_names())
@given(age_years=st.floats(0, 17.999))
def test_no_guideline_gives_a_child_a_category_or_a_follow_up(name, age_years):
    study = proposed(name, replace(SUITABLE[name], age_years=age_years))
    assert (study.category, study.follow_up, study.driven_by, study.findings) == (None, (), (), ())
    assert f"this one is {age_in_words(age_years)} old" in study.outside_population


@pytest.mark.parametrize(
    ("name", "facts", "reason"),
    [
        ("fleischner_2017", {"age_years": 34.9}, "from 35 years, and this one is 34 years old"),
        ("fleischner_2017", {"indication": "screening"}, "by chance, and this CT was made for scr"),
        ("fleischner_2017", {"known_cancer": True}, "not for patients with known cancer"),
        ("fleischner_2017", {"previous_cancer": True}, "not for patients with previous cancer"),
        ("fleischner_2017", {"immunosuppressed": True}, "not for .* suppressed immunity"),
        ("lung_rads_2022", {"indication": "incidental"}, "screening, and this CT was not made for"),
        ("lung_rads_2022", {"known_cancer": True}, "not for patients with known cancer"),
        ("c_lung_rads", {"indication": "incidental"}, "screening, and this CT was not made for"),
        ("c_lung_rads", {"known_cancer": True}, "not for patients with known cancer"),
    ],
)
def test_a_guideline_outside_its_population_gives_its_reason_for_no_category(name, facts, reason):
    study = proposed(name, replace(SUITABLE[name], **facts))
    assert (study.category, study.title) == (None, NOT_FOR_THIS_PATIENT)
    assert re.search(reason, study.outside_population)


def test_every_reason_is_given():
    patient = replace(SUITABLE["fleischner_2017"], age_years=20, known_cancer=True)
    assert proposed("fleischner_2017", patient).outside_population == (
        "it is for patients from 35 years, and this one is 20 years old; "
        "it is not for patients with known cancer"
    )


@pytest.mark.parametrize(
    ("name", "age_years", "cautions"),
    [
        ("lung_rads_2022", 18, 1),
        ("lung_rads_2022", 49.9, 1),
        ("lung_rads_2022", 50, 0),
        ("lung_rads_2022", 80.9, 0),
        ("lung_rads_2022", 81, 1),
        ("c_lung_rads", 18, 1),
        ("c_lung_rads", 39.9, 1),
        ("c_lung_rads", 40, 0),
        ("c_lung_rads", 99, 0),
        ("fleischner_2017", 35, 0),
        ("fleischner_2017", 99, 0),
    ],
)
def test_an_adult_outside_the_screened_ages_keeps_the_category_with_a_caution(
    name, age_years, cautions
):
    study = proposed(name, replace(SUITABLE[name], age_years=age_years))
    assert study.category == MOST_SUSPICIOUS[name]
    assert len(study.cautions) == cautions
    assert all(text.startswith("outside the screened population: ") for text in study.cautions)


@pytest.mark.parametrize("name", guideline_names())
def test_an_unknown_patient_keeps_the_category_and_the_unknown_facts_are_named(name):
    study = proposed(name, ClinicalFacts())
    population = GUIDELINES[name].population
    assert study.category == MOST_SUSPICIOUS[name]
    (caution,) = study.cautions
    assert f"the age (it is for patients from {population.min_age_years:g} years)" in caution
    assert "the reason for the CT" in caution
    assert "known cancer" in caution


@pytest.mark.parametrize(
    ("age_years", "words"),
    [
        (0.0, "0 months"),
        (1 / 12, "1 month"),
        (11 / 12, "11 months"),
        (1.0, "1 year"),
        (34.99, "34 years"),
        (216 * (1 / 12), "18 years"),
    ],
)
def test_an_age_is_written_in_completed_years_or_months(age_years, words):
    assert age_in_words(age_years) == words
