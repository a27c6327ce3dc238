"""What a detector takes for nodules and is none: mined from prepared series, and kept."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.inference.loading import load_detector
from hounsfield.models.inference.reducer import MAX_REDUCED_CANDIDATES
from hounsfield.models.store.folders import read_manifest
from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding, PreparedCase
    from hounsfield.models.contracts import Detector
    from hounsfield.models.store.manifest import Manifest

log = logging.getLogger(__name__)

CLEARANCE_MM = 5.0
"""From the rim of what is known: nearer marks are neither a nodule nor none."""


def mine_candidates(
    detector_folder: Path, cases: Sequence[PreparedCase], *, cache: Path, threads: int
) -> list[NDArray[np.float64]]:
    """The false marks of a detector in each case, as many as a reducer will look at.

    Every mark is kept in `cache`, one file for each detector and volume, so a detector looks at
    a volume once however many trainings follow; one that was stopped goes on. What is known of
    a case is asked anew each time.

    Args:
        detector_folder: Of the detector.
        cases: Prepared series.
        cache: A folder that any training may share, made where it is missing.
        threads: Of the detector.

    Returns:
        For each case (n, 3): x, y, z in LPS mm, best score first.

    Raises:
        UsageError: There is no such detector.
        OutputError: `cache` cannot be written.
    """
    manifest = read_manifest(detector_folder)
    with writing_to(cache):
        cache.mkdir(parents=True, exist_ok=True)
    detector: Detector | None = None
    mined = []
    for number, case in enumerate(cases, start=1):
        path = cache / f"{_key(manifest, case)}.npy"
        if not path.exists():
            detector = detector or load_detector(detector_folder, threads=threads)
            marks = [mark.centre_world_mm for mark in detector.detect(case.volume)]
            with atomic_file(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, np.array(marks, np.float64).reshape(-1, 3), allow_pickle=False)
        mined.append(on_nothing_known(np.load(path, allow_pickle=False), case.findings))
        log.info("mined %d of %d: %d false marks", number, len(cases), len(mined[-1]))
    return mined


def on_nothing_known(
    marks_world_mm: NDArray[np.float64], findings: Sequence[KnownFinding]
) -> NDArray[np.float64]:
    """Of the marks (n, 3) that a reducer will look at those clear of every finding, ignored too."""
    marks = marks_world_mm[:MAX_REDUCED_CANDIDATES]
    clear = np.ones(len(marks), bool)
    for finding in findings:
        off = np.linalg.norm(marks - finding.centre_world_mm, axis=1)
        clear &= off > finding.diameter_mm / 2 + CLEARANCE_MM
    return marks[clear]


def _key(detector: Manifest, case: PreparedCase) -> str:
    """Changes with anything that could change a mark."""
    digest = hashlib.sha256(detector.sha256.encode())
    volume = case.volume
    for array in (volume.affine, volume.hu, volume.search_mask):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
