"""Hard negatives: false positives of a detector on prepared series, kept in a cache."""

from __future__ import annotations

import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.inference.loading import load_detector
from hounsfield.models.inference.reducer import MAX_REDUCED_CANDIDATES
from hounsfield.models.store.folders import read_manifest
from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding, PreparedCase
    from hounsfield.models.contracts import Detector
    from hounsfield.models.store.manifest import Manifest

log = logging.getLogger(__name__)

CLEARANCE_MM = 5.0
"""Smallest distance from the surface of a known finding; nearer candidates count neither as nodule
nor as false positive."""


def mine_candidates(
    detector_folder: Path,
    cases: Sequence[PreparedCase],
    *,
    cache: Path,
    threads: int,
    load: Callable[[Path], Detector] | None = None,
) -> list[NDArray[np.float64]]:
    """Finds the false positives of a detector in each case, as many as a reducer rates.

    The cache keeps every candidate, one file for each detector and volume: a detector runs once on
    a volume, however many trainings follow, and an interrupted run resumes. Known findings are
    compared anew each time.

    Args:
        detector_folder: Model folder of the detector.
        cases: Prepared series with their known findings.
        cache: Folder that trainings may share; created if missing.
        threads: CPU threads of the detector.
        load: Loads the detector from its folder when the first volume is not in the cache; None
            for `load_detector`.

    Returns:
        For each case ``[n, 3]``: x, y, z in LPS mm, best score first.

    Raises:
        UsageError: There is no such detector.
        OutputError: `cache` cannot be written.
    """
    manifest = read_manifest(detector_folder)
    load = load or partial(load_detector, threads=threads)
    with writing_to(cache):
        cache.mkdir(parents=True, exist_ok=True)
    detector: Detector | None = None
    mined = []
    for number, case in enumerate(cases, start=1):
        path = cache / f"{_key(manifest, case)}.npy"
        if not path.exists():
            detector = detector or load(detector_folder)
            candidates = detector.detect(case.volume)
            centres = np.array([candidate.centre_world_mm for candidate in candidates], np.float64)
            with atomic_file(path) as temporary, temporary.open("wb") as stream:
                np.save(stream, centres.reshape(-1, 3), allow_pickle=False)
        mined.append(false_positives(np.load(path, allow_pickle=False), case.findings))
        log.info("mined %d of %d: %d false positives", number, len(cases), len(mined[-1]))
    return mined


def false_positives(
    centres_world_mm: NDArray[np.float64], findings: Sequence[KnownFinding]
) -> NDArray[np.float64]:
    """Selects the candidates that a reducer rates and that are clear of every finding.

    Args:
        centres_world_mm: Candidates ``[n, 3]``, x, y, z in LPS mm, best score first.
        findings: Known findings, those to ignore included.

    Returns:
        The centres of the clear ones among the best `MAX_REDUCED_CANDIDATES`.
    """
    rated = centres_world_mm[:MAX_REDUCED_CANDIDATES]
    clear = np.ones(len(rated), bool)
    for finding in findings:
        distance_mm = np.linalg.norm(rated - finding.centre_world_mm, axis=1)
        clear &= distance_mm > finding.diameter_mm / 2 + CLEARANCE_MM
    return rated[clear]


def _key(detector: Manifest, case: PreparedCase) -> str:
    """A name that changes with anything that could change a candidate."""
    digest = hashlib.sha256(detector.sha256.encode())
    volume = case.volume
    for array in (volume.affine, volume.hu, volume.search_mask):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
