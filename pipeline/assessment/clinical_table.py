"""Reads clinical data of patients from a CSV.

Messages name the row and never quote a patient identifier. They quote no other cell either: where
the cells of a row have shifted, any cell may hold the identifier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from hounsfield.pipeline.assessment.population import INDICATIONS, Indication
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

Sex = Literal["female", "male"]

MAX_AGE_YEARS = 120.0
KEY_COLUMNS = ("patient_id", "study_uid")

_SEXES: dict[str, Sex] = {"female": "female", "f": "female", "male": "male", "m": "male"}
_YES_NO = {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class ClinicalFacts:
    """Clinical data of one patient; None is unknown.

    Attributes:
        age_years: Age at the time of the study.
        sex: Sex, one of the two that the risk models distinguish.
        family_history: Whether a first-degree relative has had lung cancer.
        emphysema: Whether CT shows emphysema.
        smoker: Whether the patient smokes or has smoked.
        previous_cancer: Whether an extrathoracic cancer was diagnosed more than 5 years ago.
        known_cancer: Whether there is a cancer now or was one in the last 5 years, or a lung
            cancer at any time.
        immunosuppressed: Whether the immune system is suppressed.
        indication: Why the CT was made: screening for lung cancer, or anything else, so that
            nodules are found by chance.
    """

    age_years: float | None = None
    sex: Sex | None = None
    family_history: bool | None = None
    emphysema: bool | None = None
    smoker: bool | None = None
    previous_cancer: bool | None = None
    known_cancer: bool | None = None
    immunosuppressed: bool | None = None
    indication: Indication | None = None

    def filled_from(self, other: ClinicalFacts) -> ClinicalFacts:
        """Returns these facts with the unknown ones taken from another set."""
        merged: dict[str, Any] = {}
        for name in (attribute.name for attribute in fields(self)):
            value = getattr(self, name)
            merged[name] = getattr(other, name) if value is None else value
        return ClinicalFacts(**merged)


@dataclass(frozen=True, slots=True)
class ClinicalRow:
    """One row of the table.

    Attributes:
        number: Line in the file, counted from 1.
        patient_id: Patient identifier; empty if not given.
        study_uid: Study instance UID; empty where the row holds for every study of the patient.
        facts: Clinical data in the row.
    """

    number: int
    patient_id: str = field(repr=False)
    study_uid: str = field(repr=False)
    facts: ClinicalFacts


@dataclass(frozen=True, slots=True)
class ClinicalTable:
    """A clinical table.

    Attributes:
        path: File it was read from, quoted in messages.
        by_study: Rows that name a study, by study instance UID.
        by_patient: Rows that name only a patient, by patient identifier.
    """

    path: Path
    by_study: Mapping[str, ClinicalRow] = field(repr=False)
    by_patient: Mapping[str, ClinicalRow] = field(repr=False)

    def facts_of(self, *, patient_id: str, study_uid: str) -> ClinicalFacts:
        """Looks up the facts of a study: its own row first, then the row of its patient.

        Args:
            patient_id: Patient identifier from the image headers; may be empty.
            study_uid: Study instance UID from the image headers; may be empty.

        Returns:
            The facts; all unknown where the table has neither study nor patient.

        Raises:
            UsageError: The row of the study names a different patient.
        """
        facts = ClinicalFacts()
        if (row := self.by_study.get(study_uid)) is not None:
            if row.patient_id and row.patient_id != patient_id:
                msg = (
                    f"{self.path}, row {row.number}, column patient_id: must be the patient of "
                    "the study in column study_uid, but its images name a different patient; "
                    "correct the row"
                )
                raise UsageError(msg)
            facts = row.facts
        if (row := self.by_patient.get(patient_id)) is not None:
            facts = facts.filled_from(row.facts)
        return facts


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A cell that names a patient or study that is not in the input."""

    row: int
    column: str


def read_clinical(path: Path) -> ClinicalTable:
    """Reads a comma or tab separated table with a header; an empty cell is unknown.

    Args:
        path: UTF-8 file with the columns ``patient_id``, ``study_uid`` or both, and any of
            ``age`` (years), ``sex`` (female, male, f, m), ``indication`` (screening, incidental),
            ``family_history``, ``emphysema``, ``smoker``, ``previous_cancer``, ``known_cancer``
            and ``immunosuppressed`` (yes, no, 1, 0, true, false), in any order.

    Returns:
        The rows, indexed by study and by patient.

    Raises:
        UsageError: The file cannot be read, a column is missing or unknown, a cell is wrong, or
            two rows contradict each other. The message names file, row and column.
    """
    rows, numbers = read_rows(path)
    if not rows:
        msg = f"{path}: must have a header and a row for each patient or study, but is empty"
        raise UsageError(msg)
    columns = _header(rows[0], f"{path}, row {numbers[0]}")
    if len(rows) == 1:
        msg = f"{path}: must have a row for each patient or study below its header, but has none"
        raise UsageError(msg)
    by_study: dict[str, ClinicalRow] = {}
    by_patient: dict[str, ClinicalRow] = {}
    for cells, number in zip(rows[1:], numbers[1:], strict=True):
        row = _row(cells, columns, number, f"{path}, row {number}")
        keyed, key, column = (
            (by_study, row.study_uid, "study_uid")
            if row.study_uid
            else (by_patient, row.patient_id, "patient_id")
        )
        known = keyed.setdefault(key, row)
        if (known.patient_id, known.facts) != (row.patient_id, row.facts):
            msg = (
                f"{path}, row {number}, column {column}: must be unique, but row "
                f"{known.number} has the same {column} with different data"
            )
            raise UsageError(msg)
    return ClinicalTable(path, by_study, by_patient)


def unknown_keys(
    table: ClinicalTable,
    known_patient_ids: Collection[str],
    known_study_uids: Collection[str],
) -> tuple[UnknownKey, ...]:
    """Finds the rows that match no study of the input.

    Args:
        table: Rows that may name patients or studies of other inputs.
        known_patient_ids: Patient identifiers of all series found.
        known_study_uids: Study instance UIDs of all series found.

    Returns:
        The cells that name an unknown patient or study, in the order of the file.
    """
    patients, studies = set(known_patient_ids), set(known_study_uids)
    unknown = [
        *(
            UnknownKey(row.number, "study_uid")
            for uid, row in table.by_study.items()
            if uid not in studies
        ),
        *(
            UnknownKey(row.number, "patient_id")
            for patient, row in table.by_patient.items()
            if patient not in patients
        ),
    ]
    return tuple(sorted(unknown, key=lambda key: key.row))


def unknown_keys_message(table: ClinicalTable, unknown: Collection[UnknownKey]) -> str:
    """Formats the result of `unknown_keys` for the user.

    Args:
        table: The clinical table, for its path.
        unknown: Cells that name an unknown patient or study; at least one.

    Returns:
        One sentence that names rows and columns, but no identifier.
    """
    places = ", ".join(f"row {key.row} column {key.column}" for key in unknown)
    return (
        f"{table.path}, {places}: must name a patient or study of the input, but none of the "
        "series found has that identifier; correct it or remove the row"
    )


def _header(cells: list[str], where: str) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    if not any(name in KEY_COLUMNS for name in columns):
        msg = (
            f"{where}: must be a header with a column patient_id or study_uid, comma or tab "
            "separated, but has neither"
        )
        raise UsageError(msg)
    for name in columns:
        if name not in KEY_COLUMNS and name not in _READERS:
            known = ", ".join((*KEY_COLUMNS, *_READERS))
            msg = f"{where}, column {name!r}: must be one of {known}"
            raise UsageError(msg)
        if columns.count(name) > 1:
            msg = f"{where}, column {name}: must appear once, but appears twice"
            raise UsageError(msg)
    return columns


def _row(cells: list[str], columns: list[str], number: int, where: str) -> ClinicalRow:
    if len(cells) != len(columns):
        msg = f"{where}: must have {len(columns)} cells like the header, got {len(cells)}"
        raise UsageError(msg)
    named = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
    patient_id, study_uid = (named.pop(name, "") for name in KEY_COLUMNS)
    if not patient_id and not study_uid:
        keys = " or ".join(name for name in columns if name in KEY_COLUMNS)
        msg = f"{where}, column {keys}: must name a patient or a study, but is empty"
        raise UsageError(msg)
    facts: dict[str, Any] = {}
    for column, cell in named.items():
        try:
            fact = _READERS[column](cell.lower()) if cell else None
        except ValueError as error:
            msg = f"{where}, column {column}: must be {error}"
            raise UsageError(msg) from None
        facts["age_years" if column == "age" else column] = fact
    return ClinicalRow(number, patient_id, study_uid, ClinicalFacts(**facts))


def _age(cell: str) -> float:
    """Reads an age in years; points out a value that looks like another unit.

    Raises:
        ValueError: States what the cell must be and what it looks like instead.
    """
    expected = f"an age in years from 0 to {MAX_AGE_YEARS:g}, or empty"
    if not re.fullmatch(r"-?\d+(\.\d+)?", cell, flags=re.ASCII):
        msg = f"{expected}, a plain number without unit, but is not such a number"
        raise ValueError(msg)
    years = float(cell)
    if 0 <= years <= MAX_AGE_YEARS:
        return years
    problem = f"is {'below 0' if years < 0 else f'above {MAX_AGE_YEARS:g}'}"
    if 1850 <= years <= 2150:
        problem = "looks like a year of birth"
    elif 0 < years <= 12 * MAX_AGE_YEARS:
        problem += f"; read as months it would be {years / 12:.0f} years: is the unit wrong?"
    msg = f"{expected}, but {problem}"
    raise ValueError(msg)


def _sex(cell: str) -> Sex:
    if cell not in _SEXES:
        msg = "female, male, f, m or empty, but is something else"
        raise ValueError(msg)
    return _SEXES[cell]


def _yes_or_no(cell: str) -> bool:
    if cell not in _YES_NO:
        msg = "yes, no, 1, 0, true, false or empty, but is something else"
        raise ValueError(msg)
    return _YES_NO[cell]


def _indication(cell: str) -> Indication:
    for indication in INDICATIONS:
        if cell == indication:
            return indication
    msg = f"{', '.join(INDICATIONS)} or empty, but is something else"
    raise ValueError(msg)


_READERS: dict[str, Callable[[str], object]] = {
    "age": _age,
    "sex": _sex,
    "family_history": _yes_or_no,
    "emphysema": _yes_or_no,
    "smoker": _yes_or_no,
    "previous_cancer": _yes_or_no,
    "known_cancer": _yes_or_no,
    "immunosuppressed": _yes_or_no,
    "indication": _indication,
}
"""Parser of each column that is not a key."""
