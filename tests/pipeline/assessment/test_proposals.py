"""From measurements, location and patient to categories and risks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hounsfield.models.findings import Lung, LungLocation, Zone
from hounsfield.models.kinds import Margin, Texture
from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.guidelines import (
    IntervalChanges,
    classify_finding,
    guideline_names,
    load_guideline,
)
from hounsfield.pipeline.assessment.proposals import (
    CALCIFIED_THROUGH_FROM,
    TOUCHING_MM,
    estimate_risks,
    nodule_facts,
    propose_categories,
    refused_risks,
)
from hounsfield.pipeline.assessment.risk_models import BROCK, MAYO, RiskInputs, brock, mayo
from hounsfield.preprocessing.codes import Notice, NoticeCode
from tests.pipeline.assessment.findings import make_finding, make_measurements

GUIDELINES = {name: load_guideline(name) for name in guideline_names()}
LUNG_RADS = {"lung_rads_2022": GUIDELINES["lung_rads_2022"]}
PATIENT = ClinicalFacts(68, "female", True, False, True, False)
UNLIKE_ANY_MEASUREMENT_MM = 44.0


def a_finding(*, zone=Zone.UPPER, diameter_mm=UNLIKE_ANY_MEASUREMENT_MM, **measured):
    """A finding that was measured only where measurements are given."""
    return make_finding(
        diameter_mm=diameter_mm,
        location=LungLocation(Lung.LEFT, zone),
        measurements=make_measurements(**measured) if measured else None,
    )


# From a finding to the facts of a nodule.


def test_measurements_become_facts_of_the_nodule():
    facts = nodule_facts(
        a_finding(
            mean_diameter_mm=9.04,
            long_axis_mm=11.0,
            texture=Texture.PART_SOLID,
            solid_part_mm=4.0,
            margin=Margin.SPICULATED,
            pleura_distance_mm=5.0,
        )
    )
    assert (facts.mean_diameter_mm, facts.solid_part_mm) == (9.04, 4.0)
    assert (facts.texture, facts.margin) == (Texture.PART_SOLID, Margin.SPICULATED)
    assert facts.touches_pleura is False
    assert (facts.benign_calcification, facts.lentiform) == (None, None)
    assert (facts.interval_change, facts.solid_part_change) == (None, None)


def test_without_measurements_the_diameter_of_the_detector_is_used_and_nothing_else_is_known():
    facts = nodule_facts(a_finding(diameter_mm=7.5))
    assert facts.mean_diameter_mm == 7.5
    assert (facts.texture, facts.solid_part_mm, facts.margin) == (None, None, None)
    assert (facts.touches_pleura, facts.benign_calcification) == (None, None)


def test_a_solid_part_too_small_to_measure_is_0_and_not_unknown():
    assert (
        nodule_facts(a_finding(texture=Texture.PART_SOLID, solid_part_mm=0.0)).solid_part_mm == 0.0
    )


@pytest.mark.parametrize(
    ("distance_mm", "touches"),
    [(0.0, True), (TOUCHING_MM, True), (TOUCHING_MM + 1e-6, False), (20.0, False), (None, None)],
)
def test_a_nodule_touches_the_pleura_up_to_1_mm_from_it(distance_mm, touches):
    assert TOUCHING_MM == 1.0
    assert nodule_facts(a_finding(pleura_distance_mm=distance_mm)).touches_pleura is touches


@pytest.mark.parametrize(
    ("fraction", "benign"),
    [
        (CALCIFIED_THROUGH_FROM - 1e-6, False),
        (CALCIFIED_THROUGH_FROM, True),
        (1.0, True),
    ],
)
def test_a_calcified_nodule_is_benign_from_a_calcified_fraction_of_one_half(fraction, benign):
    calcified = a_finding(texture=Texture.CALCIFIED, calcification_fraction=fraction)
    assert CALCIFIED_THROUGH_FROM == 0.5
    assert nodule_facts(calcified).benign_calcification is benign


@pytest.mark.parametrize("texture", [Texture.SOLID, Texture.PART_SOLID, Texture.NON_SOLID])
def test_calcification_is_assessed_only_in_calcified_nodules(texture):
    facts = nodule_facts(a_finding(texture=texture, calcification_fraction=1.0))
    assert facts.benign_calcification is None


def test_interval_changes_become_facts_of_the_nodule():
    facts = nodule_facts(a_finding(), IntervalChanges(nodule="stable", solid_part="growing"))
    assert (facts.interval_change, facts.solid_part_change) == ("stable", "growing")


# The facts of every nodule against the rules of every guideline.

CHANGES = ["new", "growing", "stable", None]


@st.composite
def measured_nodules(draw):
    """All measurements of a nodule, and its interval changes."""
    mean_mm = draw(st.floats(0.5, 60, allow_nan=False))
    texture = draw(st.sampled_from(Texture))
    measured = {
        "mean_diameter_mm": mean_mm,
        "texture": texture,
        "margin": draw(st.sampled_from(Margin)),
        "pleura_distance_mm": draw(st.floats(0, 20)),
        "calcification_fraction": draw(st.floats(0, 1)),
    }
    if texture is Texture.PART_SOLID:
        measured["solid_part_mm"] = draw(st.floats(0, mean_mm))
    changes = IntervalChanges(draw(st.sampled_from(CHANGES)), draw(st.sampled_from(CHANGES)))
    return measured, changes


@given(measured_nodules())
def test_a_fully_measured_nodule_has_exactly_one_category_in_every_guideline(nodule):
    measured, changes = nodule
    for guideline in GUIDELINES.values():
        proposed = classify_finding(guideline, nodule_facts(a_finding(**measured), changes))
        assert proposed.possible == (proposed.category,)
        assert proposed.missing == ()


@given(measured_nodules(), st.floats(1, 3), st.floats(1, 3))
def test_a_larger_nodule_never_has_a_less_suspicious_category(nodule, growth, solid_growth):
    measured, changes = nodule
    larger = measured | {"mean_diameter_mm": measured["mean_diameter_mm"] * growth * solid_growth}
    if "solid_part_mm" in measured:
        larger["solid_part_mm"] = measured["solid_part_mm"] * solid_growth
    for guideline in GUIDELINES.values():
        severities = [
            guideline.severity(
                classify_finding(guideline, nodule_facts(a_finding(**size), changes)).category
            )
            for size in (measured, larger)
        ]
        assert severities == sorted(severities)


@given(measured_nodules())
def test_a_nodule_without_measurements_never_has_a_less_suspicious_category(nodule):
    measured, changes = nodule
    unmeasured = a_finding(diameter_mm=measured["mean_diameter_mm"])
    for guideline in GUIDELINES.values():
        known = classify_finding(guideline, nodule_facts(a_finding(**measured), changes))
        unknown = classify_finding(guideline, nodule_facts(unmeasured, changes))
        assert guideline.severity(unknown.category) >= guideline.severity(known.category)


# From findings and notices to the proposal for a study.


def test_a_study_has_the_category_of_its_most_suspicious_finding():
    findings = [
        a_finding(mean_diameter_mm=9.0, texture=Texture.SOLID, margin=Margin.LOBULATED),
        a_finding(mean_diameter_mm=12.0, texture=Texture.NON_SOLID),
    ]
    (proposal,) = propose_categories(LUNG_RADS, findings, [])
    study = proposal.study
    assert (proposal.name, study.guideline) == ("lung_rads_2022", "Lung-RADS v2022")
    assert (study.category, study.title, study.driven_by) == ("4A", "suspicious", (1,))
    assert [finding.category for finding in study.findings] == ["4A", "2"]


@pytest.mark.parametrize("code", [NoticeCode.LUNGS_CUT, NoticeCode.HU_SUSPECT])
def test_cut_lungs_or_suspect_hu_make_a_study_incomplete(code):
    (proposal,) = propose_categories(LUNG_RADS, [], [Notice(code, "")])
    assert proposal.study.category == "0"


def test_other_notices_leave_the_category():
    (proposal,) = propose_categories(LUNG_RADS, [], [Notice(NoticeCode.THICK_SLICES, "")])
    assert proposal.study.category == "1"


def test_growth_is_assessed_where_a_prior_study_was_compared():
    finding = a_finding(mean_diameter_mm=7.0, texture=Texture.SOLID, margin=Margin.LOBULATED)
    growth = LUNG_RADS["lung_rads_2022"].not_assessed["growth"]
    (alone,) = propose_categories(LUNG_RADS, [finding], [])
    (compared,) = propose_categories(LUNG_RADS, [finding], [], [IntervalChanges("growing")])
    assert (alone.study.category, growth in alone.study.not_assessed) == ("3", True)
    assert (compared.study.category, growth in compared.study.not_assessed) == ("4A", False)


def test_a_guideline_without_rules_for_growth_keeps_it_unassessed():
    guideline = GUIDELINES["c_lung_rads"]
    (proposal,) = propose_categories(
        {"c_lung_rads": guideline}, [a_finding()], [], [IntervalChanges("new")]
    )
    assert guideline.not_assessed["growth"] in proposal.study.not_assessed


# From a finding and a patient to risks.


def test_without_clinical_data_there_are_no_risks():
    assert estimate_risks(a_finding(), ClinicalFacts(), nodule_count=1) == ()


def test_risks_use_the_long_axis_the_texture_the_margin_and_the_count():
    finding = a_finding(
        mean_diameter_mm=9.0,
        long_axis_mm=11.0,
        texture=Texture.PART_SOLID,
        margin=Margin.SPICULATED,
    )
    inputs = RiskInputs(
        clinical=PATIENT,
        diameter_mm=11.0,
        texture=Texture.PART_SOLID,
        spiculated=True,
        upper_lobe=True,
        nodule_count=3,
    )
    assert estimate_risks(finding, PATIENT, nodule_count=3) == (brock(inputs), mayo(inputs))


def test_without_measurements_the_risks_use_the_diameter_of_the_detector():
    estimate, _ = estimate_risks(a_finding(diameter_mm=7.5), PATIENT, nodule_count=1)
    assert estimate.used["diameter_mm"] == 7.5
    assert estimate.missing == ("texture", "spiculated")


@pytest.mark.parametrize("margin", ["smooth", "lobulated"])
def test_only_a_spiculated_margin_is_spiculated(margin):
    estimate, _ = estimate_risks(a_finding(margin=margin), PATIENT, nodule_count=1)
    assert estimate.used["spiculated"] is False


@pytest.mark.parametrize(
    ("zone", "upper_lobe"), [(Zone.UPPER, True), (Zone.MIDDLE, None), (Zone.LOWER, False)]
)
def test_the_upper_zone_stands_for_the_upper_lobe_and_the_middle_zone_for_none(zone, upper_lobe):
    for estimate in estimate_risks(a_finding(zone=zone), PATIENT, nodule_count=1):
        assert estimate.used.get("upper_lobe") is upper_lobe
        assert ("upper_lobe" in estimate.missing) == (upper_lobe is None)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"age_years": 17.9}, "patients from 18 years, and this one is 17 years old"),
        ({"known_cancer": True}, "not for patients with known cancer"),
    ],
)
def test_a_risk_model_gives_a_reason_and_no_probability_outside_its_population(facts, reason):
    patient = replace(PATIENT, **facts)
    assert estimate_risks(a_finding(), patient, nodule_count=1) == ()
    refused = refused_risks(patient)
    assert [text.split(" gives no probability: ")[0] for text in refused] == [BROCK, MAYO]
    assert all(reason in text for text in refused)


def test_a_risk_model_is_refused_to_nobody_of_whom_nothing_speaks_against():
    assert refused_risks(PATIENT) == refused_risks(ClinicalFacts()) == ()


@pytest.mark.parametrize(("age_years", "cautions"), [(49, 1), (50, 0), (75.9, 0), (76, 1)])
def test_brock_outside_50_to_75_years_gives_a_probability_with_a_caution(age_years, cautions):
    patient = replace(PATIENT, age_years=age_years)
    estimate, other = estimate_risks(a_finding(), patient, nodule_count=1)
    assert (len(estimate.cautions), other.cautions) == (cautions, ())
    assert 0 < estimate.lower < 1
