"""The split of prepared series into folds by patient, and the check that nothing leaks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FOLDS = 10
SPLIT_FILE = "split.json"

Part = Literal["training", "validation", "test"]

EXAMINATION_MODULUS = 5
"""LIDC-IDRI patients whose hashed id is divisible by this are kept for the final examination."""

_KEPT_FOR_EXAMINATION = frozenset({"LIDC-IDRI-0003", "Lung_Dx-A0002"})
_NAMED = 5
"""How many leaks a message names."""


class SplitEntry(BaseModel):
    """One prepared series.

    Attributes:
        case: Its folder, relative to the split's.
        voxels_sha256: As in `data.prepared.CaseOrigin`.
        fold: From 0.
        source_series_uid: As in `data.prepared.CaseOrigin`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    series_uid: str
    patient_id: str
    case: str
    voxels_sha256: str
    fold: int = Field(ge=0)
    source_series_uid: str = ""


class SplitManifest(BaseModel):
    """Which series is in which fold: the content of ``split.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    dataset: str
    folds: int = Field(default=FOLDS, gt=2)
    series: tuple[SplitEntry, ...]


def part_of(fold: int, *, held: int, folds: int) -> Part:
    """What a fold serves as when fold `held` is tested on: the one after it validates."""
    if fold == held:
        return "test"
    return "validation" if fold == (held + 1) % folds else "training"


def patient_fold(patient_id: str, *, folds: int = FOLDS) -> int:
    """A patient's fold where the data set names none; the same on every machine.

    It does not follow from what `is_held_out` looks at: otherwise those patients
    would be whole folds, and the folds empty without them.
    """
    return patient_hash(patient_id) // EXAMINATION_MODULUS % folds


def patient_hash(patient_id: str) -> int:
    """The sha256 of a patient id, as an integer."""
    return int(hashlib.sha256(patient_id.encode()).hexdigest(), 16)


def is_held_out(patient_id: str) -> bool:
    """Whether a public patient is kept for this project's final examination."""
    if patient_id in _KEPT_FOR_EXAMINATION:
        return True
    return (
        patient_id.startswith("LIDC-IDRI-") and patient_hash(patient_id) % EXAMINATION_MODULUS == 0
    )


def check_no_leak(entries: Iterable[SplitEntry]) -> None:
    """Refuses a split in which one fold may know what another is tested on.

    Raises:
        UsageError: A patient is in two folds, a series or parts of it are, a series is listed
            twice or under two names (the same voxels), or the same voxels are listed under two
            patients. It names them.
    """
    entries = tuple(entries)
    leaks = [
        *_patients_in_two_folds(entries),
        *_parts_in_two_folds(entries),
        *_series_twice(entries),
        *_same_voxels(entries),
    ]
    if leaks:
        more = f"; and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
        msg = f"the split leaks: {'; '.join(leaks[:_NAMED])}{more}. Prepare the data set again"
        raise UsageError(msg)


def read_split(folder: Path) -> SplitManifest:
    """Reads and checks the split of a prepared folder.

    Raises:
        UsageError: It is missing, damaged, or leaks.
    """
    path = folder / SPLIT_FILE
    try:
        manifest = SplitManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}; is {folder} what prepare made?"
        raise UsageError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        msg = f"{path}: {where}: {first['msg']}; prepare the data set again"
        raise UsageError(msg) from error
    check_no_leak(manifest.series)
    return manifest


def case_files(folders: Sequence[Path], part: Part, *, held: int) -> list[Path]:
    """The case folders of one part, over several prepared folders checked as one.

    Args:
        folders: What `prepare` made.
        part: What the cases are for.
        held: The fold that is tested on.

    Raises:
        UsageError: A split cannot be read, they leak, or they have different numbers of folds.
    """
    manifests = [read_split(folder) for folder in folders]
    counts = sorted({manifest.folds for manifest in manifests})
    if len(counts) != 1 or not 0 <= held < counts[0]:
        msg = f"fold {held} must be a fold of each of {len(folders)} split(s), which have {counts}"
        raise UsageError(msg)
    check_no_leak(entry for manifest in manifests for entry in manifest.series)
    return [
        folder / entry.case
        for folder, manifest in zip(folders, manifests, strict=True)
        for entry in manifest.series
        if part_of(entry.fold, held=held, folds=manifest.folds) == part
    ]


def _patients_in_two_folds(entries: Sequence[SplitEntry]) -> list[str]:
    folds = defaultdict(set)
    for entry in entries:
        folds[entry.patient_id].add(entry.fold)
    return [
        f"patient {patient} is in the folds {', '.join(map(str, sorted(found)))}"
        for patient, found in sorted(folds.items())
        if len(found) > 1
    ]


def _parts_in_two_folds(entries: Sequence[SplitEntry]) -> list[str]:
    """Series of which one fold holds a part, such as a nodule, and another the rest."""
    parts = defaultdict(set)
    for entry in entries:
        parts[entry.source_series_uid or entry.series_uid].add((entry.fold, entry.patient_id))
    return [
        f"series {uid} or parts of it are in the folds "
        f"{' and '.join(f'{fold} (as {patient})' for fold, patient in sorted(found))}"
        for uid, found in sorted(parts.items())
        if len({fold for fold, _ in found}) > 1 and len({patient for _, patient in found}) > 1
    ]


def _series_twice(entries: Sequence[SplitEntry]) -> list[str]:
    patients = defaultdict(list)
    for entry in entries:
        patients[entry.series_uid].append(entry.patient_id)
    return [
        f"series {uid} is listed {len(found)} times, of {' and '.join(sorted(set(found)))}"
        for uid, found in sorted(patients.items())
        if len(found) > 1
    ]


def _same_voxels(entries: Sequence[SplitEntry]) -> list[str]:
    copies = defaultdict(set)
    for entry in entries:
        if entry.voxels_sha256:
            copies[entry.voxels_sha256].add((entry.series_uid, entry.patient_id))
    leaks = []
    for found in copies.values():
        uids = sorted({uid for uid, _ in found})
        patients = sorted({patient for _, patient in found})
        if len(uids) > 1 and len(patients) == 1:
            leaks.append(f"{' and '.join(uids)} of patient {patients[0]} are one series")
        elif len(uids) > 1:
            names = " and ".join(f"{uid} of {patient}" for uid, patient in sorted(found))
            leaks.append(f"the same voxels are under two patients: {names}")
    return sorted(leaks)
