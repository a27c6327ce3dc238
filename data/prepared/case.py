"""The form that training reads: a working volume with its findings, one folder a series.

The arrays lie there as plain ``.npy`` files and are mapped, not read: a thousand series can be
sampled from at once, in the memory of what is looked at.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.data.phantom import NoduleSpec
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORM_VERSION = 2

FULL_VOXEL = 255
"""In a nodule mask, a voxel that is all nodule."""

FACTS_FILE = "case.json"
_VOLUME_ARRAYS = ("hu", "lung_labels", "search_mask")


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
        spiculation: The same: 1 none to 5 marked.
        calcification: The same: 1 to 5 kinds of it, 6 none.
        specified: What a phantom's nodule was asked to be; None for a real one.
    """

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    ignored: bool = False
    histology: str = ""
    readers: int = 0
    malignancy: float | None = None
    texture: float | None = None
    spiculation: float | None = None
    calcification: float | None = None
    specified: NoduleSpec | None = None


@dataclass(frozen=True, slots=True)
class CaseOrigin:
    """Where a case came from.

    Attributes:
        voxels_sha256: Of the native HU and their shape: the same for two copies of a series.
        fingerprint: Of the files it was made of: unchanged, it need not be made again.
        source_series_uid: The series it was cut from; empty where it is that series.
    """

    voxels_sha256: str = ""
    fingerprint: str = ""
    source_series_uid: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """One series (or the surroundings of one nodule), ready for training.

    Attributes:
        series_uid: As in the files it came from.
        patient_id: What splits are made by.
        volume: On the working grid. The surroundings of one nodule are all `search_mask` and no
            lung.
        synthetic: Whether it is a phantom.
        nodule_mask: uint8, the shape of the volume: how much of each voxel is nodule, in parts of
            255; None where no outlines are known.
        candidates: float64 (n, 4): x, y, z in LPS mm and 1 for a nodule, 0 for none; None where
            the data set lists no candidates.
    """

    series_uid: str
    patient_id: str
    volume: WorkingVolume
    findings: tuple[KnownFinding, ...]
    synthetic: bool
    origin: CaseOrigin = CaseOrigin()
    nodule_mask: NDArray[np.uint8] | None = None
    candidates: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What a case tells without its arrays; the words are those of `PreparedCase`."""

    series_uid: str
    patient_id: str
    affine: NDArray[np.float64]
    findings: tuple[KnownFinding, ...]
    synthetic: bool
    origin: CaseOrigin


def save_case(case: PreparedCase, folder: Path) -> None:
    """Writes a case whole or not at all, in place of what the folder held."""
    volume = case.volume
    facts = {
        "form_version": FORM_VERSION,
        "series_uid": case.series_uid,
        "patient_id": case.patient_id,
        "synthetic": case.synthetic,
        "affine": volume.affine.tolist(),
        "findings": [asdict(finding) for finding in case.findings],
        "origin": asdict(case.origin),
    }
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    arrays = {name: getattr(volume, name) for name in _VOLUME_ARRAYS}
    optional = {"nodule_mask": case.nodule_mask, "candidates": case.candidates}
    for name, array in (arrays | optional).items():
        if array is not None:
            np.save(partial / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
    (partial / FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")
    remove_case(folder)
    partial.rename(folder)


def remove_case(folder: Path) -> None:
    """Removes a case, where there is one, at one stroke: what is stopped leaves no half of it."""
    gone = folder.with_name(f".{folder.name}.gone.partial")
    shutil.rmtree(gone, ignore_errors=True)
    if folder.exists():
        folder.rename(gone)
        shutil.rmtree(gone)


def load_case(folder: Path) -> PreparedCase:
    """Reads a case that `save_case` wrote; its arrays are mapped and cannot be written to.

    Raises:
        UsageError: It is no case, is damaged, or of another version of the form.
    """
    facts = load_facts(folder)
    arrays = {}
    for name in _VOLUME_ARRAYS:
        array = _mapped(folder, name)
        if array is None:
            msg = f"{folder} lacks {name}.npy: prepare the data set again"
            raise UsageError(msg)
        arrays[name] = array
    return PreparedCase(
        facts.series_uid,
        facts.patient_id,
        WorkingVolume(**arrays, affine=facts.affine),
        facts.findings,
        facts.synthetic,
        facts.origin,
        nodule_mask=_mapped(folder, "nodule_mask"),
        candidates=_mapped(folder, "candidates"),
    )


def load_facts(folder: Path) -> CaseFacts:
    """Reads what a case tells, without its arrays.

    Raises:
        UsageError: It is no case, is damaged, or of another version of the form.
    """
    path = folder / FACTS_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        version = facts["form_version"]
    except (OSError, KeyError, ValueError) as error:
        msg = f"{path} cannot be read ({error!r}): prepare the data set again"
        raise UsageError(msg) from error
    if version != FORM_VERSION:
        msg = (
            f"{folder} has form version {version}, wanted {FORM_VERSION}: "
            "delete the prepared folder and prepare it again"
        )
        raise UsageError(msg)
    return CaseFacts(
        facts["series_uid"],
        facts["patient_id"],
        np.array(facts["affine"], dtype=np.float64),
        tuple(_known_finding(told) for told in facts["findings"]),
        facts["synthetic"],
        CaseOrigin(**facts["origin"]),
    )


def _known_finding(told: dict[str, Any]) -> KnownFinding:
    """A finding of ``case.json``; older cases do not tell what a nodule was drawn as."""
    spec = told.get("specified")
    centre_world_mm = tuple(told["centre_world_mm"])
    specified = None if spec is None else NoduleSpec(**spec)
    return KnownFinding(**{**told, "centre_world_mm": centre_world_mm, "specified": specified})


def _mapped(folder: Path, name: str) -> NDArray[Any] | None:
    """An array of a case, mapped; None where there is none."""
    path = folder / f"{name}.npy"
    if not path.exists():
        return None
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
