"""What is known of a patient: the clinical table first, then the headers."""

import pytest

from hounsfield.pipeline.assessment.clinical_table import (
    ClinicalFacts,
    ClinicalRow,
    ClinicalTable,
)
from hounsfield.pipeline.assessment.patient import find_patient
from hounsfield.preprocessing.codes import NoticeCode
from hounsfield.preprocessing.volume import SeriesFacts


def a_table(tmp_path, **facts):
    row = ClinicalRow(2, "P1", "", ClinicalFacts(**facts))
    return ClinicalTable(tmp_path / "clinical.csv", {}, {"P1": row})


def headers(patient_id="P1", sex="M", age_years=61.0):
    return SeriesFacts("1", "1.1", patient_id, patient_sex=sex, patient_age_years=age_years)


def codes(patient):
    return [notice.code for notice in patient.notices]


def test_without_a_table_the_headers_are_known_and_no_risk_is_asked_for():
    patient = find_patient(None, headers())
    assert patient.facts == ClinicalFacts(age_years=61.0, sex="male")
    assert (patient.risk_facts, patient.notices) == (ClinicalFacts(), ())


def test_no_risk_is_asked_for_where_the_table_does_not_name_the_patient(tmp_path):
    patient = find_patient(a_table(tmp_path, smoker=True), headers("P2"))
    assert (patient.facts.age_years, patient.risk_facts) == (61.0, ClinicalFacts())


def test_the_headers_add_sex_and_age_where_the_table_leaves_them_empty(tmp_path):
    patient = find_patient(a_table(tmp_path, smoker=True), headers())
    assert patient.facts == ClinicalFacts(age_years=61.0, sex="male", smoker=True)
    assert patient.risk_facts == patient.facts


@pytest.mark.parametrize(("code", "sex"), [("F", "female"), ("M", "male"), ("O", None), ("", None)])
def test_the_sex_of_the_headers_is_used_if_it_is_f_or_m(code, sex):
    assert find_patient(None, headers(sex=code)).facts.sex == sex


@pytest.mark.parametrize("age_years", [None, 121.0, 999.0])
def test_an_age_that_is_missing_or_a_placeholder_is_not_known(age_years):
    patient = find_patient(None, headers(age_years=age_years))
    assert (patient.facts.age_years, patient.notices, patient.is_child) == (None, (), False)


@pytest.mark.parametrize(
    ("age_years", "words"),
    [
        (17.99, "is 17 years old"),
        (1.0, "is 1 year old"),
        (1 / 12, "is 1 month old"),
        (0.0, "is 0 months old"),
    ],
)
def test_a_child_is_outside_training_and_a_sentence_says_so(age_years, words):
    patient = find_patient(None, headers(age_years=age_years))
    assert (codes(patient), patient.is_child) == ([NoticeCode.OUTSIDE_TRAINING], True)
    assert words in patient.notices[0].message
    assert "every network was trained on adults" in patient.notices[0].message


@pytest.mark.parametrize("age_years", [18.0, 6575 / 365.25, 18 - 1e-9, 90.0])
def test_an_adult_is_not_outside_training(age_years):
    patient = find_patient(None, headers(age_years=age_years))
    assert (codes(patient), patient.is_child) == ([], False)


@pytest.mark.parametrize(("table", "header", "child"), [(40.0, 1.0, False), (1.0, 40.0, True)])
def test_the_age_of_the_table_wins_and_its_contradiction_is_a_notice(
    tmp_path, table, header, child
):
    patient = find_patient(a_table(tmp_path, age_years=table), headers(age_years=header))
    assert (patient.facts.age_years, patient.is_child) == (table, child)
    assert (NoticeCode.OUTSIDE_TRAINING in codes(patient)) is child
    conflict = patient.notices[-1]
    assert conflict.code is NoticeCode.HEADER_CONFLICT
    assert conflict.numbers == {"table_age_years": table, "header_age_years": header}


@pytest.mark.parametrize("table", [60.0, 61.7, 62.0])
def test_ages_within_a_year_do_not_contradict_each_other(tmp_path, table):
    assert find_patient(a_table(tmp_path, age_years=table), headers()).notices == ()


def test_the_sex_of_the_table_wins_and_its_contradiction_is_a_notice(tmp_path):
    patient = find_patient(a_table(tmp_path, sex="female"), headers(sex="M"))
    assert (patient.facts.sex, codes(patient)) == ("female", [NoticeCode.HEADER_CONFLICT])


def test_no_notice_quotes_an_identifier(tmp_path):
    patient = find_patient(a_table(tmp_path, age_years=1, sex="female"), headers())
    assert len(patient.notices) == 3
    assert not any("P1" in notice.message for notice in patient.notices)
