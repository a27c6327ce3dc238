"""The form that training reads: a working volume with its findings, one folder per series.

The arrays are plain ``.npy`` files and are memory-mapped: training can sample from a thousand
series while memory holds only the parts in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, model_validator

from hounsfield.data.phantom import NoduleSpec  # noqa: TC001 - pydantic needs it at run time
from hounsfield.preprocessing.documents import Strict, read_document
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_folder, remove_folder
from hounsfield.preprocessing.working_volume import WorkingVolume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FULL_VOXEL = 255
"""Value of a voxel in a nodule mask that is all nodule."""

FACTS_FILE = "case.json"
REMEDY = "prepare its source again: `hounsfield prepare` replaces damaged cases"

_VOLUME_ARRAYS = {"hu": np.int16, "lung_labels": np.uint8, "search_mask": np.bool_}
_RENAMED = {
    "form_version": "version",
    "drawn_as": "specified",
    "solid_share": "solid_fraction",
}
"""Keys of version 2, and what version 3 calls them."""

_Row = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding that a data set annotates.

    Attributes:
        centre_world_mm: (x, y, z) in LPS mm.
        diameter_mm: Diameter of the sphere of its volume; where `ignored`, of the sphere in which
            neither a hit nor a false positive is counted.
        ignored: Neither a nodule to find nor a place to call empty.
        histology: One of the four class names, ``small_cell_carcinoma``, or empty where unknown.
        readers: Number of radiologists who marked it; 0 where unknown.
        malignancy: Median of the readers' ratings, 1 to 5; None without ratings.
        texture: Median rating, 1 (ground glass) to 5 (solid); None without ratings.
        spiculation: Median rating, 1 (none) to 5 (marked); None without ratings.
        calcification: Median rating, 1 to 5 kinds of it, 6 absent; None without ratings.
        specified: Specification of a synthetic nodule; None for a real one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)

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
    """The source of a case.

    Attributes:
        voxels_sha256: Hash of the native HU and their shape: the same for two copies of a series.
        fingerprint: Hash of the source files and labels; while it is the same, the case is kept.
        source_series_uid: The series from which the case was cut; empty where it is the series.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    voxels_sha256: str = ""
    fingerprint: str = ""
    source_series_uid: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedCase:
    """One series, or the surroundings of one nodule, ready for training.

    Attributes:
        series_uid: SeriesInstanceUID, or the name of another file format's series.
        patient_id: The split keeps all cases of a patient in one fold.
        volume: On the working grid. The surroundings of one nodule are all `search_mask` and no
            lung.
        findings: The annotated findings, ignored ones included.
        synthetic: Whether it is a phantom.
        origin: The source, by which copies and changes are recognised.
        nodule_mask: uint8, shape of the volume: nodule in each voxel, in parts of `FULL_VOXEL`;
            None where the data set has no outlines.
        candidates: float64 (n, 4): x, y, z in LPS mm, and 1 for a nodule or 0 for none; None
            where the data set lists no candidates.
        left_out: A sentence for each label that does not fit the series, with its row.
    """

    series_uid: str
    patient_id: str
    volume: WorkingVolume
    findings: tuple[KnownFinding, ...]
    synthetic: bool
    origin: CaseOrigin = CaseOrigin()
    nodule_mask: NDArray[np.uint8] | None = None
    candidates: NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()


class CaseFacts(Strict):
    """A case without its arrays: the content of ``case.json``.

    Attributes:
        affine: 4 x 4, maps (x, y, z) indices of the working grid to LPS mm.
        left_out: A sentence for each label that does not fit the series, with its row.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    version: Literal[3]
    series_uid: str
    patient_id: str
    synthetic: bool
    affine: tuple[_Row, _Row, _Row, _Row]
    findings: tuple[KnownFinding, ...]
    origin: CaseOrigin
    left_out: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, document: object) -> object:
        """Reads version 2, which differs in the names of three keys."""
        if not isinstance(document, dict) or document.get("form_version") != 2:
            return document
        upgraded = _with_new_names(document)
        return {**upgraded, "version": 3} if isinstance(upgraded, dict) else upgraded


def save_case(case: PreparedCase, folder: Path) -> None:
    """Writes a case atomically, in place of an earlier one.

    Args:
        case: Its arrays may be memory-mapped from `folder` itself.
        folder: The folder of this case alone; missing parents are created.

    Raises:
        OutputError: It cannot be written; an earlier case is still there.
    """
    facts = CaseFacts(
        version=3,
        series_uid=case.series_uid,
        patient_id=case.patient_id,
        synthetic=case.synthetic,
        affine=case.volume.affine.tolist(),
        findings=case.findings,
        origin=case.origin,
        left_out=case.left_out,
    )
    arrays: dict[str, NDArray[Any] | None] = {
        name: getattr(case.volume, name) for name in _VOLUME_ARRAYS
    }
    arrays |= {"nodule_mask": case.nodule_mask, "candidates": case.candidates}
    with atomic_folder(folder) as partial:
        for name, array in arrays.items():
            if array is not None:
                np.save(partial / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
        (partial / FACTS_FILE).write_text(facts.model_dump_json(), encoding="utf-8")


def remove_case(folder: Path) -> None:
    """Removes a case, if there is one, in a single step.

    Args:
        folder: The folder of this case alone.

    Raises:
        OutputError: It cannot be removed.
    """
    remove_folder(folder)


def load_case(folder: Path) -> PreparedCase:
    """Reads a case; its arrays are memory-mapped and read-only.

    Args:
        folder: Written by `save_case`, in this version or the one before.

    Returns:
        The case.

    Raises:
        UsageError: A file is missing, damaged or of another version, or the arrays do not fit
            together.
    """
    facts = load_facts(folder)
    volume_arrays = {name: _required(folder, name, kind) for name, kind in _VOLUME_ARRAYS.items()}
    nodule_mask = _mapped(folder, "nodule_mask", np.uint8)
    candidates = _mapped(folder, "candidates", np.float64)
    shape_zyx = volume_arrays["hu"].shape
    masks = {**volume_arrays, "nodule_mask": nodule_mask}
    for name, array in masks.items():
        if array is not None and (array.ndim != 3 or array.shape != shape_zyx):
            msg = f"{folder / name}.npy must have shape {shape_zyx}, got {array.shape}; {REMEDY}"
            raise UsageError(msg)
    if candidates is not None and (candidates.ndim != 2 or candidates.shape[1] != 4):
        path = folder / "candidates.npy"
        msg = f"{path} must have shape (n, 4), got {candidates.shape}; {REMEDY}"
        raise UsageError(msg)
    return PreparedCase(
        facts.series_uid,
        facts.patient_id,
        WorkingVolume(**volume_arrays, affine=np.array(facts.affine, dtype=np.float64)),
        facts.findings,
        facts.synthetic,
        facts.origin,
        nodule_mask=nodule_mask,
        candidates=candidates,
        left_out=facts.left_out,
    )


def load_facts(folder: Path) -> CaseFacts:
    """Reads a case without its arrays, which are not checked.

    Args:
        folder: Written by `save_case`, in this version or the one before.

    Returns:
        The content of ``case.json``.

    Raises:
        UsageError: The file is missing, damaged or of another version.
    """
    return read_document(folder / FACTS_FILE, CaseFacts, remedy=REMEDY)


def _with_new_names(value: object) -> object:
    """A JSON value of version 2 under the names of version 3, at any depth."""
    if isinstance(value, dict):
        return {_RENAMED.get(key, key): _with_new_names(inner) for key, inner in value.items()}
    return [_with_new_names(inner) for inner in value] if isinstance(value, list) else value


def _required(folder: Path, name: str, kind: type[np.generic]) -> NDArray[Any]:
    array = _mapped(folder, name, kind)
    if array is None:
        msg = f"{folder / name}.npy is missing; {REMEDY}"
        raise UsageError(msg)
    return array


def _mapped(folder: Path, name: str, kind: type[np.generic]) -> NDArray[Any] | None:
    """Maps an array of a case; None where it has none of that name."""
    path = folder / f"{name}.npy"
    if not path.exists():
        return None
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header is a Python expression that NumPy evaluates
        msg = f"{path} cannot be read as an array: {' '.join(str(error).split())}; {REMEDY}"
        raise UsageError(msg) from error
    if array.dtype != kind:
        msg = f"{path} must hold {np.dtype(kind)}, got {array.dtype}; {REMEDY}"
        raise UsageError(msg)
    return array
