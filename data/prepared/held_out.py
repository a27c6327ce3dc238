"""Held-out patients: who is kept out of training, by a file that training and preparation name."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field

from hounsfield.preprocessing.documents import Strict, is_file, read_document
from hounsfield.preprocessing.errors import UsageError

NAMED_FILES = Path(__file__).parents[2] / "configs" / "data"
"""A file here can be named without folder and suffix."""


class HashRule(Strict):
    """Holds out a fixed pseudo-random part of the patients of one data set.

    Attributes:
        prefix: The rule applies to PatientIDs that begin with it.
        modulus: A patient is held out where `patient_hash` divides by it without remainder, so
            about one in `modulus` is.
    """

    prefix: str = Field(min_length=1)
    modulus: int = Field(ge=2)


class HeldOutPatients(Strict):
    """The content of a file such as ``configs/data/held_out.yaml``; supports ``in``.

    Attributes:
        patients: PatientIDs that are held out.
        hashed: Holds out further patients; None for no others.
    """

    version: Literal[1] = 1
    patients: tuple[str, ...] = ()
    hashed: HashRule | None = None

    def __contains__(self, patient_id: str) -> bool:
        """Whether a patient is held out."""
        if patient_id in self.patients:
            return True
        rule = self.hashed
        return (
            rule is not None
            and patient_id.startswith(rule.prefix)
            and patient_hash(patient_id) % rule.modulus == 0
        )


def patient_hash(patient_id: str) -> int:
    """Hashes a PatientID, the same on every machine.

    Args:
        patient_id: PatientID (0010,0020), hashed as UTF-8.

    Returns:
        The SHA-256 as a non-negative integer.
    """
    return int(hashlib.sha256(patient_id.encode()).hexdigest(), 16)


def held_out_file(name_or_file: str | Path) -> Path:
    """Finds a file of held-out patients.

    Args:
        name_or_file: A path, or the name of a file in ``configs/data`` without its suffix.

    Returns:
        The path of the file.

    Raises:
        UsageError: There is no such file.
    """
    path = Path(name_or_file)
    if is_file(path):
        return path
    named = NAMED_FILES / f"{name_or_file}.yaml"
    if path.name == str(name_or_file) and is_file(named):
        return named
    msg = (
        f"held-out patients must be a YAML file or the name of one in {NAMED_FILES}, such as "
        f"held_out; got {str(name_or_file)!r}"
    )
    raise UsageError(msg)


def read_held_out(name_or_file: str | Path) -> HeldOutPatients:
    """Reads which patients are held out.

    Args:
        name_or_file: A path, or the name of a file in ``configs/data`` without its suffix.

    Returns:
        The patients; test membership with ``in``.

    Raises:
        UsageError: There is no such file, or a key or value is wrong.
    """
    return read_document(held_out_file(name_or_file), HeldOutPatients)
