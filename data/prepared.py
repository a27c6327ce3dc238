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
        histology: One of the four class names, ``small_cell_carcinoma``, or empty where it is
            not known.
        readers: How many radiologists marked it; 0 where that is not known.
        malignancy: Median of their ratings, 1 to 5; None where there are none.
        texture: The same: 1 ground glass to 5 solid.
    """

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    ignored: bool = False
    histology: str = ""
    readers: int = 0
    malignancy: float | None = None
    texture: float | None = None


@dataclass(frozen=True, slots=True)
class CaseOrigin:
    """Where a case came from.

    Attributes:
        voxels_sha256: Of the native HU and their shape: the same for two copies of a series.
        fingerprint: Of the files it was made of: unchanged, it need not be made again.
    """

    voxels_sha256: str = ""
    fingerprint: str = ""


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
    origin: CaseOrigin = CaseOrigin()


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a case's file tells without its arrays; the words are those of `PreparedCase`."""

    series_uid: str
    patient_id: str
    spacing_mm: float
    findings: tuple[KnownFinding, ...]
    synthetic: bool
    origin: CaseOrigin


def save_case(case: PreparedCase, path: Path) -> None:
    """Writes a case whole or not at all, as a compressed ``.npz`` without pickles."""
    facts = {
        "form_version": FORM_VERSION,
        "series_uid": case.series_uid,
        "patient_id": case.patient_id,
        "synthetic": case.synthetic,
        "spacing_mm": case.volume.spacing_mm,
        "findings": [asdict(finding) for finding in case.findings],
        "origin": asdict(case.origin),
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
    facts = load_facts(path)
    with np.load(path, allow_pickle=False) as arrays:
        volume = WorkingVolume(
            hu=arrays["hu"],
            lung_labels=arrays["lung_labels"],
            search_mask=arrays["search_mask"],
            affine=arrays["affine"],
            spacing_mm=facts.spacing_mm,
        )
    return PreparedCase(
        facts.series_uid, facts.patient_id, volume, facts.findings, facts.synthetic, facts.origin
    )


def load_facts(path: Path) -> CaseFacts:
    """Reads what a case's file tells, without its arrays.

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
    findings = tuple(
        KnownFinding(**{**finding, "centre_world_mm": tuple(finding["centre_world_mm"])})
        for finding in facts["findings"]
    )
    return CaseFacts(
        facts["series_uid"],
        facts["patient_id"],
        facts["spacing_mm"],
        findings,
        facts["synthetic"],
        CaseOrigin(**facts.get("origin", {})),
    )
