"""What is known of a patient, from the clinical table and the image headers, and its notices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from hounsfield.pipeline.assessment.clinical_table import MAX_AGE_YEARS, ClinicalFacts
from hounsfield.pipeline.assessment.population import ADULT_FROM_YEARS, age_in_words, is_below
from hounsfield.preprocessing.codes import Notice, NoticeCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hounsfield.pipeline.assessment.clinical_table import ClinicalTable, Sex
    from hounsfield.preprocessing.volume import SeriesFacts

AGE_CONFLICT_YEARS = 1.0
"""Ages of the table and the header may differ by this much: one is rounded, the other completed."""

_SEXES: dict[str, Sex] = {"F": "female", "M": "male"}


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient, at the time of the study.

    Attributes:
        facts: What is known: the clinical table's facts, age and sex of the headers where it is
            silent.
        in_clinical_table: Whether the table says anything of the patient, which is how risks are
            asked for.
        notices: Notices about the series that follow: a child, or a table that contradicts the
            headers.
    """

    facts: ClinicalFacts
    in_clinical_table: bool = False
    notices: tuple[Notice, ...] = ()

    @property
    def risk_facts(self) -> ClinicalFacts:
        """The facts for the risk models; none where no risk is asked for."""
        return self.facts if self.in_clinical_table else ClinicalFacts()

    @property
    def is_child(self) -> bool:
        """Whether the patient is known to be younger than anybody whom the networks know."""
        return _is_child(self.facts.age_years)


def find_patient(table: ClinicalTable | None, series: SeriesFacts) -> Patient:
    """Collect what is known of the patient of a series.

    Args:
        table: The table of ``--clinical``; None where there is none.
        series: Header facts of the series, which name the patient and the study. An age above
            `MAX_AGE_YEARS` is a placeholder and not known.

    Returns:
        The patient. The table wins where it contradicts the headers, and a notice says so.

    Raises:
        UsageError: The study's row in the table names another patient.
    """
    stated = ClinicalFacts()
    if table is not None:
        stated = table.facts_of(patient_id=series.patient_id, study_uid=series.study_uid)
    age_years = series.patient_age_years
    if age_years is not None and age_years > MAX_AGE_YEARS:
        age_years = None
    headers = ClinicalFacts(age_years=age_years, sex=_SEXES.get(series.patient_sex))
    facts = stated.filled_from(headers)
    notices = (*_outside_training(facts.age_years), *_conflicts(stated, headers))
    return Patient(facts, in_clinical_table=stated != ClinicalFacts(), notices=notices)


def _is_child(age_years: float | None) -> TypeGuard[float]:
    return age_years is not None and is_below(age_years, ADULT_FROM_YEARS)


def _outside_training(age_years: float | None) -> Iterator[Notice]:
    if _is_child(age_years):
        message = (
            f"The patient is {age_in_words(age_years)} old, and every network was trained on "
            "adults: no guideline gives a category, no risk model a probability, and findings, "
            "sizes and classes were never tested on children."
        )
        numbers = {"patient_age_years": round(age_years, 3), "adult_from_years": ADULT_FROM_YEARS}
        yield Notice(NoticeCode.OUTSIDE_TRAINING, message, numbers)


def _conflicts(table: ClinicalFacts, headers: ClinicalFacts) -> Iterator[Notice]:
    ours, theirs = table.age_years, headers.age_years
    if ours is not None and theirs is not None and abs(ours - theirs) > AGE_CONFLICT_YEARS:
        message = (
            f"The patient is {age_in_words(ours)} old by the clinical table and "
            f"{age_in_words(theirs)} by the header (PatientAge): the table's age is used."
        )
        numbers = {"table_age_years": round(ours, 3), "header_age_years": round(theirs, 3)}
        yield Notice(NoticeCode.HEADER_CONFLICT, message, numbers)
    if table.sex is not None and headers.sex is not None and table.sex != headers.sex:
        message = (
            f"The patient is {table.sex} by the clinical table and {headers.sex} by the header "
            "(PatientSex): the table's sex is used."
        )
        yield Notice(NoticeCode.HEADER_CONFLICT, message)
