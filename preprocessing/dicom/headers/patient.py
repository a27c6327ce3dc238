"""Tells apart the patients of instances that share a StudyInstanceUID."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from hounsfield.preprocessing.dicom.headers.values import Elements, text

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENT_KEYWORDS = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")


_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the patient of an instance is, as hashes: a name is never kept. Empty where unknown.

    Attributes:
        id_hash: Hash of PatientID (0010,0020) in lower case.
        name_hashes: Hash of each part of PatientName (0010,0010) in lower case.
        birth_date_hash: Hash of PatientBirthDate (0010,0030) as it is written.
        sex: PatientSex (0010,0040), ``F`` or ``M``.
    """

    id_hash: str = ""
    name_hashes: frozenset[str] = frozenset()
    birth_date_hash: str = ""
    sex: str = ""

    def may_be(self, other: Patient) -> bool:
        """Whether nothing that is known of both contradicts that they are one person.

        The same id and date of birth are one person, however name and sex are written.

        A longer spelling of a name contradicts a shorter one only where a part of each is missing
        in the other.
        """
        if self.id_hash and self.birth_date_hash:
            mine, theirs = (
                (self.id_hash, self.birth_date_hash),
                (other.id_hash, other.birth_date_hash),
            )
            if mine == theirs:
                return True
        pairs = (
            (self.id_hash, other.id_hash),
            (self.birth_date_hash, other.birth_date_hash),
            (self.sex, other.sex),
        )
        if any(mine and theirs and mine != theirs for mine, theirs in pairs):
            return False
        names, others = self.name_hashes, other.name_hashes
        return not names or not others or names <= others or others <= names

    @property
    def sort_key(self) -> tuple[int, str, list[str], str, str]:
        """Orders patients by how much is known of them, then by hash: whatever files there are."""
        known = bool(self.id_hash) + bool(self.name_hashes) + bool(self.birth_date_hash)
        return (-known, self.id_hash, sorted(self.name_hashes), self.birth_date_hash, self.sex)


def read_patient(elements: Elements) -> Patient:
    """Returns the patient of an instance.

    Args:
        elements: The instance's data set, with the elements of `PATIENT_KEYWORDS`.
    """
    return _patient(*(text(elements, keyword) for keyword in PATIENT_KEYWORDS))


def distinct_patients(patients: Iterable[Patient]) -> dict[Patient, int]:
    """Returns a number from 0 for each patient; spellings of one person share a number.

    A patient of whom too little is known to tell which of several persons it is stays apart.

    Args:
        patients: The patients of all instances of a study, with repetitions.
    """
    people: list[list[Patient]] = []
    for patient in sorted(set(patients), key=lambda patient: patient.sort_key):
        matching = [person for person in people if all(map(patient.may_be, person))]
        if len(matching) == 1:
            matching[0].append(patient)
        else:
            people.append([patient])
    return {patient: number for number, person in enumerate(people) for patient in person}


@lru_cache(maxsize=4096)
def _patient(patient_id: str, name: str, birth_date: str, sex: str) -> Patient:
    """Shared by the instances of a patient."""
    # Ideographic and phonetic spellings of the name follow "=" (PS3.5, 6.2.1).
    parts = re.split(r"[\^\s,.]+", _plain(name.partition("=")[0]))
    known = [part for part in parts if part.isalpha()]  # others were decoded wrongly
    return Patient(
        _hash(patient_id.casefold().strip(" .,-_").lstrip("0")),
        frozenset(map(_hash, known)),
        _hash(re.sub(r"\D", "", birth_date)),
        sex.upper() if sex.upper() in {"F", "M"} else "",
    )


def _plain(name: str) -> str:
    """A name without accents, its umlauts spelled out: Müller is Mueller, Xue is not Xu."""
    letters = unicodedata.normalize("NFKD", name.casefold().translate(_UMLAUTS))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _hash(value: str) -> str:
    value = value.strip()
    return hashlib.blake2b(value.encode(), digest_size=8).hexdigest() if value else ""
