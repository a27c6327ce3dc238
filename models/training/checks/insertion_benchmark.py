"""Detections on a validation set: untouched volumes, and the same ones with nodules inserted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.augmentation.insertion import insert_nodules
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding, PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.findings import Candidate
    from hounsfield.preprocessing.working_volume import WorkingVolume

log = logging.getLogger(__name__)

NODULES_PER_VOLUME = 12
"""Nodules that are inserted into a volume at most."""


@dataclass(frozen=True, slots=True, eq=False)
class InsertionCandidates:
    """Candidates of a detector with their ratings: a logit or score from each of several models.

    Attributes:
        on_nodules: Ratings of the candidates on each nodule, ``[candidates, ratings]``; empty where
            it was missed.
        diameters_mm: Diameters of the same nodules.
        false_positives: Ratings of the candidates on no known finding, in untouched volumes,
            ``[candidates, ratings]``.
        scans: Number of untouched volumes.
    """

    on_nodules: tuple[NDArray[np.float64], ...]
    diameters_mm: NDArray[np.float64]
    false_positives: NDArray[np.float64]
    scans: int


def collect_candidates(
    detect: Callable[[WorkingVolume], tuple[Sequence[Candidate], NDArray[np.float64]]],
    cases: Sequence[PreparedCase],
    crops: Sequence[NoduleCrop],
    *,
    rounds: int,
    seed: int,
) -> InsertionCandidates:
    """Detects in untouched volumes, and in the same ones with nodules inserted.

    Args:
        detect: Returns the candidates of a volume and their ratings, ``[candidates, ratings]``.
        cases: Validation volumes; their own known nodules count as hits or misses too.
        crops: Nodules of patients that were not trained on.
        rounds: Number of times each volume is filled with other nodules, where there are any.
        seed: Seed of the places and of the choice of nodules.

    Returns:
        The ratings of hits and false positives.

    Raises:
        UsageError: The volumes hold no nodule, and none could be inserted.
    """
    rng = np.random.default_rng(seed)
    hits: list[NDArray[np.float64]] = []
    diameters: list[float] = []
    false_positives: list[NDArray[np.float64]] = []

    def count(volume: WorkingVolume, findings: Sequence[KnownFinding]) -> NDArray[np.float64]:
        """Records the hits on findings; returns the ratings of the candidates on none of them."""
        candidates, ratings = detect(volume)
        hit = np.array(
            [[_hits(candidate, finding) for finding in findings] for candidate in candidates], bool
        )
        hit = hit.reshape(len(candidates), len(findings))
        for column, finding in enumerate(findings):
            if not finding.ignored:
                hits.append(ratings[hit[:, column]])
                diameters.append(finding.diameter_mm)
        return ratings[~hit.any(axis=1)]

    for case in cases:
        false_positives.append(count(case.volume, case.findings))
        for _ in range(rounds if crops else 0):
            chosen = rng.choice(len(crops), min(NODULES_PER_VOLUME, len(crops)), replace=False)
            count(*insert_nodules(case, [crops[int(i)] for i in chosen], rng))
        log.info(
            "validated on %s: %d nodules, %d false positives so far",
            case.patient_id,
            len(hits),
            sum(map(len, false_positives)),
        )
    if not hits:
        msg = (
            f"the held-out data hold no nodule: 0 in {len(cases)} series, and none of "
            f"{len(crops)} single ones could be inserted; neither sensitivity nor thresholds can "
            "be set, choose another data.fold or more data"
        )
        raise UsageError(msg)
    return InsertionCandidates(
        tuple(hits), np.array(diameters), np.concatenate(false_positives), len(cases)
    )


def _hits(candidate: Candidate, finding: KnownFinding) -> bool:
    off = np.linalg.norm(np.subtract(candidate.centre_world_mm, finding.centre_world_mm))
    return bool(off < finding.diameter_mm / 2)
