"""The form that training reads: a cached working volume with its findings, one file a series."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from preprocessing.errors import UsageError
from preprocessing.working_volume import WorkingVolume

if TYPE_CHECKING:
    from pathlib import Path

FORM_VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding that a data set tells of.

    Attributes:
        centre_world_mm: (x, y, z) in LPS mm.
        diameter_mm: Of the sphere of its size; for an `ignored` one, of the sphere to leave out.
        ignored: Neither a nodule to find nor a place to call empty.
        histology: One of the four class names, or empty where it is not known.
    """

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    ignored: bool = False
    histology: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """One series, ready for training.

    Attributes:
        series_uid: As in the files it came from.
        patient_id: What splits are made by.
        synthetic: Whether it is a phantom.
    """

    series_uid: str
    patient_id: str
    volume: WorkingVolume
    findings: tuple[KnownFinding, ...]
    synthetic: bool


def save_case(case: PreparedCase, path: Path) -> None:
    """Writes a case whole or not at all, as a compressed ``.npz`` without pickles."""
    facts = {
        "form_version": FORM_VERSION,
        "series_uid": case.series_uid,
        "patient_id": case.patient_id,
        "synthetic": case.synthetic,
        "spacing_mm": case.volume.spacing_mm,
        "findings": [asdict(finding) for finding in case.findings],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            hu=case.volume.hu,
            lung_labels=case.volume.lung_labels,
            search_mask=case.volume.search_mask,
            affine=case.volume.affine,
            facts=np.array(json.dumps(facts)),
        )
    temporary.replace(path)


def load_case(path: Path) -> PreparedCase:
    """Reads a case that `save_case` wrote.

    Raises:
        UsageError: It is of another version of the form.
    """
    with np.load(path, allow_pickle=False) as arrays:
        facts = json.loads(str(arrays["facts"]))
        if facts["form_version"] != FORM_VERSION:
            msg = (
                f"{path} has form version {facts['form_version']}, wanted {FORM_VERSION}: "
                "delete the prepared folder and prepare it again"
            )
            raise UsageError(msg)
        volume = WorkingVolume(
            hu=arrays["hu"],
            lung_labels=arrays["lung_labels"],
            search_mask=arrays["search_mask"],
            affine=arrays["affine"],
            spacing_mm=facts["spacing_mm"],
        )
    findings = tuple(
        KnownFinding(**{**finding, "centre_world_mm": tuple(finding["centre_world_mm"])})
        for finding in facts["findings"]
    )
    return PreparedCase(
        facts["series_uid"], facts["patient_id"], volume, findings, facts["synthetic"]
    )
