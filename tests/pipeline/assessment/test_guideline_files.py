import subprocess
import sys

import pytest

from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.guidelines import guideline_names, load_guideline
from hounsfield.pipeline.assessment.population import ANY_ADULT
from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.assessment.nodule_facts import nodule, study

MINE = """
title: Mine
source: nobody
applies_to: everybody
round_to_decimals: 1
categories:
  - {name: small, title: small, follow_up: none}
  - {name: large, title: large, follow_up: soon}
rules:
  - {category: large, texture: [solid], mean_diameter_mm: {from: 11.5}}
  - {category: large, texture: [solid], margin: [spiculated]}
  - {category: small, texture: [solid, part_solid, non_solid, calcified]}
study: {without_nodules: small, not_evaluable: null}
"""


def test_a_guideline_is_added_by_a_file_alone(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    mine = load_guideline(path)
    findings = (nodule("solid", 11.4), nodule("solid", 11.45), nodule("non_solid", 30.0))
    assert [nodule.category for nodule in study(mine, *findings).findings] == [
        "small",
        "large",
        "small",
    ]
    assert study(mine, nodule("solid", 3.0, margin="spiculated")).follow_up == ("soon",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: Mine\n", "", "mine.yaml: title: Field required"),
        ("from: 11.5", "from: 11.5, till: 20", r"rules.0.mean_diameter_mm.till: unknown key"),
        ("from: 11.5", "from: 11.5, below: 11.5", "rules.0.mean_diameter_mm: from must be less"),
        ("{from: 11.5}", "{}", "rules.0.mean_diameter_mm: must have from, below or both"),
        ("from: 11.5", "from: wide", "rules.0.mean_diameter_mm.from: .*, got 'wide'"),
        ("{name: small", "{name: 1", "categories.0.name: .*valid string, got 1"),
        ("{name: small", "{name: large", "categories must have different names"),
        ("not_evaluable: null", "not_evaluable: bad", "category 'bad' must be one of small, large"),
        ("without_nodules: small", "without_nodules: none", "category 'none' must be one of small"),
        ("[solid], margin", "[solit], margin", "rules.1.texture.0: .* got 'solit'"),
        (
            "[solid], margin: [spiculated]",
            "[solid], solid_part_mm: {from: 6}",
            r"rules.1: solid_part_mm needs texture: \[part_solid\]",
        ),
        ("follow_up: soon", "follow_up: [{risk: low, text: soon}]", "a text for single .* at high"),
        (
            "[solid, part_solid, ",
            "[part_solid, ",
            "none applies to mean_diameter_mm 0.001, .*solid",
        ),
        ("  - {category: small, texture", "  - {texture", "rules.2.category: Field required"),
        ("study:", "study: [", "not YAML"),
        ("study:", "population: {min_age_years: 20}\nstudy:", "population.source: Field required"),
        (
            "study:",
            "population: {source: me, min_age_years: 17}\nstudy:",
            "population.min_age_years: .* greater than or equal to 18, got 17",
        ),
        (
            "study:",
            "population: {source: me, usual_age_years: {from: 80, to: 50, population: us}}\nstudy:",
            "usual_age_years: from must not be above to, got 80 and 50",
        ),
        ("study:", "population: {source: me, excludes: [flu]}\nstudy:", "excludes.0: .*got 'flu'"),
    ],
)
def test_a_broken_guideline_is_refused_with_its_key(tmp_path, old, new, message):
    assert old in MINE
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace(old, new))
    with pytest.raises(UsageError, match=message):
        load_guideline(path)


def test_a_guideline_that_names_no_population_is_for_adults(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE)
    mine = load_guideline(path)
    child, adult = ClinicalFacts(age_years=17), ClinicalFacts(age_years=18)
    assert study(mine, nodule("solid", 20.0), patient=child).category is None
    assert study(mine, nodule("solid", 20.0), patient=adult).category == "large"


@pytest.mark.parametrize("name", guideline_names())
def test_every_packaged_guideline_names_its_population_and_the_source(name):
    assert load_guideline(name).population.source != ANY_ADULT.source


def test_a_gap_between_bounds_of_two_rules_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        MINE.replace(
            "{category: small, texture: [solid,",
            "{category: small, texture: [solid], mean_diameter_mm: {below: 11.4}}\n"
            "  - {category: small, texture: [",
        )
    )
    with pytest.raises(UsageError, match=r"none applies to mean_diameter_mm 11\.4, texture solid"):
        load_guideline(path)


def test_the_error_for_an_unknown_guideline_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"one of: c_lung_rads, .* got 'lung_rads_1'"):
        load_guideline("lung_rads_1")


def test_guidelines_and_risk_models_import_no_numpy_scipy_torch_or_simpleitk():
    program = (
        "import sys; from hounsfield.pipeline.assessment import guidelines, risk_models; "
        "sys.exit(bool({'torch', 'numpy', 'scipy', 'SimpleITK'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
