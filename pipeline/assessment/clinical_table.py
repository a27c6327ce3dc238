"""`read_clinical`: what is known of patients beside their images, from a CSV.

A patient identifier is never part of a message: messages name the row. Neither is the text
of any other cell, for in a row whose cells have slipped it may be one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

Sex = Literal["female", "male"]

OLDEST_YEARS = 120.0
KEY_COLUMNS = ("patient_id", "study_uid")

_SEXES: dict[str, Sex] = {"female": "female", "f": "female", "male": "male", "m": "male"}
_ANSWERS = {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}


@dataclass(frozen=True, slots=True)
class ClinicalFacts:
    """What is known of one patient; None is unknown.

    Attributes:
        age_years: At the time of the study.
        sex: As the risk models ask for it.
        family_history: Of lung cancer, in a relative of the first degree.
        emphysema: On CT.
        smoker: Now or ever.
        previous_cancer: Outside the chest, more than 5 years ago.
    """

    age_years: float | None = None
    sex: Sex | None = None
    family_history: bool | None = None
    emphysema: bool | None = None
    smoker: bool | None = None
    previous_cancer: bool | None = None

    def filled_from(self, other: ClinicalFacts) -> ClinicalFacts:
        """These facts, and the other's where these are unknown."""
        known: dict[str, Any] = {}
        for name in (one.name for one in fields(self)):
            mine = getattr(self, name)
            known[name] = getattr(other, name) if mine is None else mine
        return ClinicalFacts(**known)


@dataclass(frozen=True, slots=True)
class ClinicalRow:
    """One row.

    Attributes:
        number: Its line in the file, counted from 1.
        patient_id: Empty where it is not given.
        study_uid: Empty where the row tells of all studies of the patient.
        facts: What it tells.
    """

    number: int
    patient_id: str = field(repr=False)
    study_uid: str = field(repr=False)
    facts: ClinicalFacts


@dataclass(frozen=True, slots=True)
class ClinicalTable:
    """A table that was read.

    Attributes:
        path: The file, for messages.
        by_study: The rows with a study, by its UID.
        by_patient: The rows without one, by patient.
    """

    path: Path
    by_study: Mapping[str, ClinicalRow] = field(repr=False)
    by_patient: Mapping[str, ClinicalRow] = field(repr=False)

    def of(self, *, patient_id: str, study_uid: str) -> ClinicalFacts:
        """What is known for a study: its own row first, then the row of its patient.

        Raises:
            UsageError: The study's row names another patient.
        """
        facts = ClinicalFacts()
        if (row := self.by_study.get(study_uid)) is not None:
            if row.patient_id and row.patient_id != patient_id:
                msg = (
                    f"{self.path}, row {row.number}, column patient_id: must be the patient of "
                    "the study in column study_uid, whose images name another; correct the row"
                )
                raise UsageError(msg)
            facts = row.facts
        if (row := self.by_patient.get(patient_id)) is not None:
            facts = facts.filled_from(row.facts)
        return facts


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A cell whose patient or study is not among those at hand."""

    row: int
    column: str


def read_clinical(path: Path) -> ClinicalTable:
    """Reads a comma or tab separated table with a header; an empty cell is unknown.

    The columns, in any order: ``patient_id``, ``study_uid`` or both, and any of ``age`` (years),
    ``sex`` (female, male, f, m), ``family_history``, ``emphysema``, ``smoker`` and
    ``previous_cancer`` (yes, no, 1, 0, true, false).

    Raises:
        UsageError: The file cannot be read, a column is missing or unknown, a cell is wrong, or
            two rows tell different things of one patient or study. It names file, row and column.
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
                f"{path}, row {number}, column {column}: must be told of once, but row "
                f"{known.number} has the same {column} and other data"
            )
            raise UsageError(msg)
    return ClinicalTable(path, by_study, by_patient)


def unknown_keys(
    table: ClinicalTable,
    known_patient_ids: Collection[str],
    known_study_uids: Collection[str],
) -> tuple[UnknownKey, ...]:
    """The rows that no study at hand belongs to, in the order of the file."""
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
    return tuple(sorted(unknown, key=lambda one: one.row))


def unknown_keys_message(table: ClinicalTable, unknown: Collection[UnknownKey]) -> str:
    """One sentence that names the rows and columns of `unknown_keys`."""
    places = ", ".join(f"row {one.row} column {one.column}" for one in unknown)
    return (
        f"{table.path}, {places}: must name a patient or study of the input, but none of the "
        "series found has that identifier; correct it or take the row out"
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
            msg = f"{where}, column {name}: must be there once, but is there twice"
            raise UsageError(msg)
    return columns


def _row(cells: list[str], columns: list[str], number: int, where: str) -> ClinicalRow:
    if len(cells) != len(columns):
        msg = f"{where}: must have {len(columns)} cells, as the header has, got {len(cells)}"
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
    """Reads years; what looks like another unit is called so.

    Raises:
        ValueError: What the cell must be, and what it looks like.
    """
    wanted = f"an age in years from 0 to {OLDEST_YEARS:g}, or empty"
    if not re.fullmatch(r"-?\d+(\.\d+)?", cell, flags=re.ASCII):
        msg = f"{wanted}, a number without its unit, but is no such number"
        raise ValueError(msg)
    years = float(cell)
    if 0 <= years <= OLDEST_YEARS:
        return years
    told = f"is {'below 0' if years < 0 else f'above {OLDEST_YEARS:g}'}"
    if 1850 <= years <= 2150:
        told = "has wrong units: it looks like a year of birth"
    elif 0 < years <= 12 * OLDEST_YEARS:
        told += f"; in months it would be {years / 12:.0f} years: are these the wrong units?"
    msg = f"{wanted}, but {told}"
    raise ValueError(msg)


def _sex(cell: str) -> Sex:
    if cell not in _SEXES:
        msg = "female, male, f, m or empty, but is another word"
        raise ValueError(msg)
    return _SEXES[cell]


def _yes_or_no(cell: str) -> bool:
    if cell not in _ANSWERS:
        msg = "yes, no, 1, 0, true, false or empty, but is another word"
        raise ValueError(msg)
    return _ANSWERS[cell]


_READERS: dict[str, Callable[[str], object]] = {
    "age": _age,
    "sex": _sex,
    "family_history": _yes_or_no,
    "emphysema": _yes_or_no,
    "smoker": _yes_or_no,
    "previous_cancer": _yes_or_no,
}
"""The columns that are no key."""
