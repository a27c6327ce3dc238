import pytest

from hounsfield.pipeline.assessment.guidelines import (
    NoduleFacts,
    classify_finding,
    guideline_names,
    load_guideline,
)
from hounsfield.pipeline.assessment.guidelines.categories import LUNGS_CUT, QUALITY_FAILED
from tests.pipeline.assessment.nodule_facts import nodule, study

LUNG_RADS = load_guideline("lung_rads_2022")
C_LUNG_RADS = load_guideline("c_lung_rads")
FLEISCHNER = load_guideline("fleischner_2017")


def test_every_packaged_guideline_can_be_read():
    assert guideline_names() == ("c_lung_rads", "fleischner_2017", "lung_rads_2022")
    for name in guideline_names():
        assert load_guideline(name).source


# Each edge of each table from both sides, one decimal apart, and far from all edges.


@pytest.mark.parametrize(
    ("texture", "mean_mm", "solid_mm", "category"),
    [
        ("solid", 0.5, None, "2"),
        ("solid", 5.9, None, "2"),
        ("solid", 6.0, None, "3"),
        ("solid", 7.9, None, "3"),
        ("solid", 8.0, None, "4A"),
        ("solid", 14.9, None, "4A"),
        ("solid", 15.0, None, "4B"),
        ("solid", 100.0, None, "4B"),
        ("part_solid", 5.9, 0.0, "2"),
        ("part_solid", 5.9, 5.9, "2"),
        ("part_solid", 6.0, 0.0, "3"),
        ("part_solid", 6.0, 5.9, "3"),
        ("part_solid", 60.0, 5.9, "3"),
        ("part_solid", 6.0, 6.0, "4A"),
        ("part_solid", 20.0, 6.0, "4A"),
        ("part_solid", 20.0, 7.9, "4A"),
        ("part_solid", 20.0, 8.0, "4B"),
        ("part_solid", 8.0, 8.0, "4B"),
        ("non_solid", 29.9, None, "2"),
        ("non_solid", 30.0, None, "3"),
        ("non_solid", 90.0, None, "3"),
        ("calcified", 40.0, None, "1"),
    ],
)
def test_lung_rads_has_its_category_on_both_sides_of_every_threshold(
    texture, mean_mm, solid_mm, category
):
    proposed = classify_finding(LUNG_RADS, nodule(texture, mean_mm, solid_mm))
    assert (proposed.category, proposed.possible, proposed.missing) == (category, (category,), ())


@pytest.mark.parametrize(
    ("texture", "mean_mm", "solid_mm", "category"),
    [
        ("calcified", 5.0, None, "0"),
        ("calcified", 40.0, None, "0"),
        ("solid", 5.9, None, "1"),
        ("solid", 6.0, None, "2"),
        ("solid", 9.9, None, "2"),
        ("solid", 10.0, None, "3"),
        ("solid", 17.9, None, "3"),
        ("solid", 18.0, None, "4"),
        ("part_solid", 5.9, 5.0, "1"),
        ("part_solid", 6.0, 5.9, "2"),
        ("part_solid", 6.0, 6.0, "3"),
        ("part_solid", 20.0, 5.9, "2"),
        ("part_solid", 20.0, 6.0, "3"),
        ("part_solid", 20.0, 9.9, "3"),
        ("part_solid", 20.0, 10.0, "4"),
        ("non_solid", 5.9, None, "1"),
        ("non_solid", 6.0, None, "2"),
        ("non_solid", 19.9, None, "2"),
        ("non_solid", 20.0, None, "3"),
    ],
)
def test_c_lung_rads_has_its_category_on_both_sides_of_every_threshold(
    texture, mean_mm, solid_mm, category
):
    proposed = classify_finding(C_LUNG_RADS, nodule(texture, mean_mm, solid_mm))
    assert (proposed.category, proposed.possible, proposed.missing) == (category, (category,), ())


@pytest.mark.parametrize(
    ("mean_mm", "rounded_mm", "category"),
    [
        (5.94, 5.9, "2"),
        (5.9499999, 5.9, "2"),
        (5.95, 6.0, "3"),
        (7.94, 7.9, "3"),
        (7.95, 8.0, "4A"),  # stored as 7.9500000000000002
        (14.95, 15.0, "4B"),  # stored as 14.949999999999999
    ],
)
def test_diameters_are_rounded_half_up_in_decimal_before_they_are_compared(
    mean_mm, rounded_mm, category
):
    proposed = classify_finding(LUNG_RADS, nodule("solid", mean_mm))
    assert (proposed.mean_diameter_mm, proposed.category) == (rounded_mm, category)


def test_the_solid_part_is_rounded_too():
    categories = [
        classify_finding(LUNG_RADS, nodule("part_solid", 20.0, mm)).category
        for mm in (5.94, 5.95, 7.94, 7.95)
    ]
    assert categories == ["3", "4A", "4A", "4B"]


# Juxtapleural nodules; missing and assumed facts.

JUXTAPLEURAL = {"margin": "smooth", "touches_pleura": True}


@pytest.mark.parametrize(("mean_mm", "category"), [(6.0, "2"), (9.94, "2"), (9.95, "4A")])
def test_a_smooth_solid_nodule_at_the_pleura_is_benign_below_10_mm(mean_mm, category):
    proposed = classify_finding(LUNG_RADS, nodule("solid", mean_mm, **JUXTAPLEURAL))
    assert proposed.category == category
    assert bool(proposed.assumed) == (category == "2")


@pytest.mark.parametrize(
    "otherwise",
    [
        {"touches_pleura": False},
        {"margin": "lobulated"},
        {"margin": "spiculated"},
        {"lentiform": False},
    ],
)
def test_the_juxtapleural_rule_asks_for_all_of_its_conditions(otherwise):
    proposed = classify_finding(LUNG_RADS, nodule("solid", 7.0, **(JUXTAPLEURAL | otherwise)))
    assert (proposed.category, proposed.possible) == ("3", ("3",))


def test_the_juxtapleural_rule_is_for_solid_nodules():
    proposed = classify_finding(LUNG_RADS, nodule("part_solid", 8.0, 7.0, **JUXTAPLEURAL))
    assert proposed.category == "4A"


def test_a_known_shape_is_not_reported_as_assumed():
    known = classify_finding(LUNG_RADS, nodule("solid", 7.0, lentiform=True, **JUXTAPLEURAL))
    assert (known.category, known.assumed) == ("2", ())


def test_a_calcification_known_not_to_be_benign_is_categorised_by_size():
    assumed = classify_finding(LUNG_RADS, nodule("calcified", 9.0))
    other = classify_finding(LUNG_RADS, nodule("calcified", 9.0, benign_calcification=False))
    assert (assumed.category, len(assumed.assumed)) == ("1", 1)
    assert (other.category, other.rule) == (
        "4A",
        "calcified, mean diameter from 8 to below 15 mm",
    )


@pytest.mark.parametrize(
    ("facts", "possible", "missing"),
    [
        ({"texture": "part_solid", "mean_diameter_mm": 5.9}, ("2",), ()),
        ({"texture": "part_solid", "mean_diameter_mm": 7.0}, ("3", "4A"), ("solid_part_mm",)),
        (
            {"texture": "part_solid", "mean_diameter_mm": 9.0},
            ("3", "4A", "4B"),
            ("solid_part_mm",),
        ),
        ({"texture": "solid", "mean_diameter_mm": 5.0}, ("2",), ()),
        (
            {"texture": "solid", "mean_diameter_mm": 7.0},
            ("2", "3"),
            ("margin", "touches_pleura"),
        ),
    ],
)
def test_a_missing_fact_gives_the_most_suspicious_possible_category_and_is_named(
    facts, possible, missing
):
    proposed = classify_finding(LUNG_RADS, NoduleFacts(**facts))
    assert (proposed.category, proposed.possible, proposed.missing) == (
        possible[-1],
        possible,
        missing,
    )


def test_an_unknown_texture_is_at_least_as_suspicious_as_any_texture():
    for mean_mm in (3.0, 6.0, 9.0, 16.0, 31.0):
        unknown = classify_finding(LUNG_RADS, NoduleFacts(mean_diameter_mm=mean_mm))
        for texture in ("solid", "part_solid", "non_solid", "calcified"):
            known = classify_finding(LUNG_RADS, nodule(texture, mean_mm, mean_mm))
            assert known.category in unknown.possible
            assert LUNG_RADS.severity(unknown.category) >= LUNG_RADS.severity(known.category)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"mean_diameter_mm": 0.0}, "mean_diameter_mm must be above 0"),
        ({"mean_diameter_mm": float("nan")}, "mean_diameter_mm must be above 0, got nan"),
        ({"mean_diameter_mm": 5.0, "solid_part_mm": -1.0}, "solid_part_mm must be 0 or more"),
        ({"mean_diameter_mm": 5.0, "texture": "ground_glass"}, "texture must be one of solid"),
    ],
)
def test_impossible_facts_are_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        NoduleFacts(**facts)


# Studies.


def test_a_study_has_the_category_of_its_worst_nodules():
    proposed = study(
        LUNG_RADS, nodule("solid", 9.0), nodule("non_solid", 12.0), nodule("solid", 14.0)
    )
    assert (proposed.category, proposed.driven_by) == ("4A", (1, 3))
    assert [nodule.category for nodule in proposed.findings] == ["4A", "2", "4A"]
    assert proposed.follow_up == LUNG_RADS.category("4A").texts(nodules="multiple", risk=None)


@pytest.mark.parametrize(("guideline", "category"), [(LUNG_RADS, "1"), (C_LUNG_RADS, "0")])
def test_a_study_without_nodules_is_negative(guideline, category):
    proposed = study(guideline)
    assert (proposed.category, proposed.title, proposed.driven_by) == (category, "negative", ())
    assert "12 months" in proposed.follow_up[0]


@pytest.mark.parametrize(
    ("limitation", "text"),
    [({"lungs_cut": True}, LUNGS_CUT), ({"quality_failed": True}, QUALITY_FAILED)],
)
def test_lung_rads_is_0_where_lungs_are_cut_or_the_quality_failed(limitation, text):
    empty, seen = (
        study(LUNG_RADS, **limitation),
        study(LUNG_RADS, nodule("solid", 16.0), **limitation),
    )
    assert (empty.category, seen.category, seen.driven_by) == ("0", "0", ())
    assert text in empty.not_assessed
    assert seen.follow_up[1].startswith("For the nodules seen: Refer")


def test_without_a_category_0_an_empty_study_that_cannot_be_evaluated_has_no_category():
    assert study(C_LUNG_RADS, lungs_cut=True).category is None
    seen = study(C_LUNG_RADS, nodule("solid", 7.0), lungs_cut=True)
    assert (seen.category, seen.driven_by) == ("2", (1,))
    assert LUNGS_CUT in seen.not_assessed


def test_unassessed_criteria_and_assumptions_are_listed():
    proposed = study(
        LUNG_RADS,
        nodule("solid", 7.0, **JUXTAPLEURAL),
        NoduleFacts(texture="part_solid", mean_diameter_mm=7.0),
    )
    text = " / ".join(proposed.not_assessed)
    for words in ("growth", "airways", "modifier S", "4X"):
        assert words in text
    assert "nodule 1 is taken to be oval, lentiform or triangular in shape: not measured" in text
    assert "nodule 2 may be 3 or 4A: solid part not known" in text


def test_an_assessed_criterion_is_not_listed():
    without = study(LUNG_RADS, assessed={"growth"}).not_assessed
    assert set(study(LUNG_RADS).not_assessed) - set(without) == {
        LUNG_RADS.not_assessed["growth"],
    }


# Interval change since a prior study.


@pytest.mark.parametrize(
    ("texture", "mean_mm", "change", "category"),
    [
        ("solid", 3.9, "new", "2"),
        ("solid", 4.0, "new", "3"),
        ("solid", 5.9, "new", "3"),
        ("solid", 6.0, "new", "4A"),
        ("solid", 7.9, "new", "4A"),
        ("solid", 8.0, "new", "4B"),
        ("solid", 3.0, "growing", "4A"),
        ("solid", 7.9, "growing", "4A"),
        ("solid", 8.0, "growing", "4B"),
        ("solid", 5.9, "stable", "2"),
        ("solid", 8.0, "stable", "4A"),
        ("non_solid", 29.9, "new", "2"),
        ("non_solid", 30.0, "new", "3"),
        ("non_solid", 29.9, "growing", "2"),
        ("non_solid", 30.0, "growing", "3"),
        ("non_solid", 29.9, "stable", "2"),
        ("non_solid", 30.0, "stable", "2"),
        ("calcified", 9.0, "growing", "1"),
    ],
)
def test_lung_rads_category_of_a_nodule_that_was_compared(texture, mean_mm, change, category):
    assert (
        classify_finding(LUNG_RADS, nodule(texture, mean_mm, interval_change=change)).category
        == category
    )


@pytest.mark.parametrize(
    ("mean_mm", "solid_mm", "change", "solid_change", "category"),
    [
        (5.9, 0.0, "new", "new", "3"),
        (5.9, 3.9, "new", "new", "3"),
        (5.9, 4.0, "new", "new", "4B"),
        (6.0, 3.9, "new", "new", "4A"),
        (6.0, 4.0, "new", "new", "4B"),
        (5.9, 3.9, "stable", "growing", "4A"),
        (5.9, 4.0, "stable", "growing", "4B"),
        (9.0, 3.9, "stable", "new", "4A"),
        (9.0, 4.0, "stable", "new", "4B"),
        (5.9, 4.0, "stable", "stable", "2"),
        (9.0, 5.9, "growing", "stable", "3"),
        (9.0, 6.0, "growing", "stable", "4A"),
    ],
)
def test_lung_rads_depends_on_the_interval_change_of_the_solid_part(
    mean_mm, solid_mm, change, solid_change, category
):
    facts = nodule(
        "part_solid", mean_mm, solid_mm, interval_change=change, solid_part_change=solid_change
    )
    assert classify_finding(LUNG_RADS, facts).category == category


def test_a_juxtapleural_nodule_may_be_benign_unless_it_grows():
    categories = [
        classify_finding(
            LUNG_RADS, nodule("solid", 7.0, interval_change=change, **JUXTAPLEURAL)
        ).category
        for change in ("new", "stable", "growing")
    ]
    assert categories == ["2", "2", "4A"]


def test_a_nodule_that_could_not_be_compared_is_listed_and_categorised_by_the_first_study_table():
    nodules = (nodule("solid", 7.0), nodule("solid", 5.0, interval_change="stable"))
    text = " / ".join(study(LUNG_RADS, *nodules, assessed={"growth"}).not_assessed)
    assert "nodule 1 could not be compared" in text
    assert "nodule 2" not in text
    assert "could not be compared" not in " / ".join(study(LUNG_RADS, *nodules).not_assessed)
