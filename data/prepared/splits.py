"""The split of prepared series into folds by patient, and the check that nothing leaks."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hounsfield.data.prepared.held_out import patient_hash
from hounsfield.preprocessing.documents import Strict, read_document
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FOLDS = 10
SPLIT_FILE = "split.json"

Part = Literal["training", "validation", "test"]

_MAX_NAMED = 5
"""A message names so many leaks."""


class SplitEntry(Strict):
    """One prepared series.

    Attributes:
        case: Folder of the case, relative to the prepared folder.
        voxels_sha256: Hash of the native HU, see `CaseOrigin`.
        fold: Number of the fold, from 0.
        source_series_uid: The series from which it was cut, see `CaseOrigin`.
    """

    series_uid: str
    patient_id: str
    case: str
    voxels_sha256: str
    fold: int = Field(ge=0)
    source_series_uid: str = ""


class SplitManifest(Strict):
    """The fold of each series: the content of ``split.json``."""

    version: Literal[1] = 1
    dataset: str
    folds: int = Field(default=FOLDS, gt=2)
    series: tuple[SplitEntry, ...]


def part_of(fold: int, *, held: int, folds: int) -> Part:
    """Gives the part that a fold plays in a cross-validation.

    Args:
        fold: Number of the fold, from 0.
        held: Number of the fold that is tested on; the one after it validates.
        folds: Number of folds, at least 3.

    Returns:
        ``test``, ``validation`` or ``training``.
    """
    if fold == held:
        return "test"
    return "validation" if fold == (held + 1) % folds else "training"


def patient_fold(patient_id: str, *, folds: int = FOLDS) -> int:
    """Gives the fold of a patient whose data set names none; the same on every machine.

    Args:
        patient_id: PatientID (0010,0020), or another name of the patient.
        folds: Number of folds between which patients are spread evenly.

    Returns:
        Number of the fold, from 0.
    """
    # The held-out rule of configs/data takes the remainder of a division by 5, and this the
    # quotient: with the remainder, held-out patients would be whole folds.
    return patient_hash(patient_id) // 5 % folds


def check_no_leak(entries: Iterable[SplitEntry]) -> None:
    """Refuses a split in which one fold may hold what another is tested on.

    Args:
        entries: Series of one prepared folder, or of several that are used together.

    Raises:
        UsageError: A patient is in two folds, a series or parts of it are, a series is listed
            twice or under two names (the same voxels), or the same voxels are listed under two
            patients. The message names them.
    """
    entries = tuple(entries)
    leaks = [
        *_patients_in_two_folds(entries),
        *_parts_in_two_folds(entries),
        *_series_twice(entries),
        *_same_voxels(entries),
    ]
    if leaks:
        more = f"; and {len(leaks) - _MAX_NAMED} more" if len(leaks) > _MAX_NAMED else ""
        msg = f"the split leaks: {'; '.join(leaks[:_MAX_NAMED])}{more}. Prepare the data set again"
        raise UsageError(msg)


def read_split(folder: Path) -> SplitManifest:
    """Reads and checks the split of a prepared folder.

    Args:
        folder: A folder that `hounsfield prepare` made.

    Returns:
        The split, in which nothing leaks.

    Raises:
        UsageError: The split is missing, damaged, or leaks.
    """
    path = folder / SPLIT_FILE
    manifest = read_document(path, SplitManifest, remedy="prepare the data set again")
    check_no_leak(manifest.series)
    return manifest


def case_files(folders: Sequence[Path], part: Part, *, held: int) -> list[Path]:
    """Lists the case folders of one part of a cross-validation.

    Args:
        folders: Prepared folders, which are checked together.
        part: ``training``, ``validation`` or ``test``.
        held: Number of the fold that is tested on, from 0.

    Returns:
        The folders of the cases, in the order of `folders` and of each split.

    Raises:
        UsageError: A split cannot be read, the splits leak, or their numbers of folds differ.
    """
    manifests = [read_split(folder) for folder in folders]
    counts = sorted({manifest.folds for manifest in manifests})
    if len(counts) != 1 or not 0 <= held < counts[0]:
        msg = f"fold {held} must be in each of {len(folders)} split(s), which have {counts} folds"
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
        f"patient {patient} is in the folds {', '.join(map(str, sorted(in_folds)))}"
        for patient, in_folds in sorted(folds.items())
        if len(in_folds) > 1
    ]


def _parts_in_two_folds(entries: Sequence[SplitEntry]) -> list[str]:
    """Series of which a part, such as a nodule, is in another fold than the rest."""
    parts = defaultdict(set)
    for entry in entries:
        parts[entry.source_series_uid or entry.series_uid].add((entry.fold, entry.patient_id))
    return [
        f"series {uid} or parts of it are in the folds "
        f"{' and '.join(f'{fold} (as {patient})' for fold, patient in sorted(places))}"
        for uid, places in sorted(parts.items())
        if len({fold for fold, _ in places}) > 1 and len({patient for _, patient in places}) > 1
    ]


def _series_twice(entries: Sequence[SplitEntry]) -> list[str]:
    patients = defaultdict(list)
    for entry in entries:
        patients[entry.series_uid].append(entry.patient_id)
    return [
        f"series {uid} is listed {len(names)} times, of {' and '.join(sorted(set(names)))}"
        for uid, names in sorted(patients.items())
        if len(names) > 1
    ]


def _same_voxels(entries: Sequence[SplitEntry]) -> list[str]:
    copies = defaultdict(set)
    for entry in entries:
        if entry.voxels_sha256:
            copies[entry.voxels_sha256].add((entry.series_uid, entry.patient_id))
    leaks = []
    for series in copies.values():
        uids = sorted({uid for uid, _ in series})
        patients = sorted({patient for _, patient in series})
        if len(uids) > 1 and len(patients) == 1:
            leaks.append(f"{' and '.join(uids)} of patient {patients[0]} are the same series")
        elif len(uids) > 1:
            names = " and ".join(f"{uid} of {patient}" for uid, patient in sorted(series))
            leaks.append(f"the same voxels are under two patients: {names}")
    return sorted(leaks)
