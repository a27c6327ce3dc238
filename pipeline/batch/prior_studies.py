"""Finds, for each study of the input, the patient's most recent earlier study."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from typing import TYPE_CHECKING

from hounsfield.pipeline.analysis.growth.prior import Prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.preprocessing.series import Series

SEXES = {"F", "M"}

NO_DATE = (
    "The input holds another study of this patient, but this one has no study date (0008,0020): "
    "which came first is not known."
)
OTHER_HAS_NO_DATE = (
    "The other study of this patient in the input has no study date (0008,0020): which came first "
    "is not known."
)
SAME_DAY = (
    "The other study of this patient in the input is of the same day: growth needs time between "
    "two studies."
)
OTHER_SEX = (
    "The earlier study with this patient ID names another sex (0010,0040): it is taken to be of "
    "another person."
)


def find_priors(studies: Sequence[Sequence[Series]]) -> list[Prior | None]:
    """Find for each study the most recent earlier one of the same patient.

    Args:
        studies: The series of each study of the input, the best first.

    Returns:
        One entry for each study; None where no other study is known to be of the same patient, or
        all others are later.
    """
    of_patient: dict[str, list[Sequence[Series]]] = defaultdict(list)
    for study in studies:
        of_patient[study[0].facts.patient_id.strip()].append(study)
    of_patient.pop("", None)
    return [
        _prior(study, of_patient.get(study[0].facts.patient_id.strip(), ())) for study in studies
    ]


def _prior(study: Sequence[Series], of_patient: Sequence[Sequence[Series]]) -> Prior | None:
    facts = study[0].facts
    others = [other for other in of_patient if other[0].facts.study_uid != facts.study_uid]
    if not others:
        return None
    today = _date(facts.study_date)
    if today is None:
        return Prior(reason=NO_DATE)
    dated = [(_date(other[0].facts.study_date), other) for other in others]
    earlier = [(day, other) for day, other in dated if day is not None and day < today]
    if not earlier:
        days = {day for day, _ in dated}
        reason = SAME_DAY if today in days else OTHER_HAS_NO_DATE if None in days else ""
        return Prior(reason=reason) if reason else None
    day, latest = max(
        earlier, key=lambda dated_study: (dated_study[0], dated_study[1][0].facts.study_uid)
    )
    if len({facts.patient_sex, latest[0].facts.patient_sex} & SEXES) > 1:
        return Prior(reason=OTHER_SEX)
    return Prior(tuple(latest), (today - day).days)


def _date(dicom_date: str) -> date | None:
    """YYYYMMDD as a date; None where it is none."""
    try:
        return datetime.strptime(dicom_date.strip(), "%Y%m%d").date()  # noqa: DTZ007 - a day
    except ValueError:
        return None
