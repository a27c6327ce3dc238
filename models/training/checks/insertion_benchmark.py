"""What models mark on a yardstick: untouched volumes, and the same with nodules inserted."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.augmentation.insertion import insert_nodules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding, PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.contracts import Candidate
    from hounsfield.preprocessing.working_volume import WorkingVolume

log = logging.getLogger(__name__)

NODULES_A_SCAN = 12


@dataclass(frozen=True, slots=True, eq=False)
class InsertionMarks:
    """The marks that count, each with its ratings: what one or more models said of it.

    Attributes:
        on_nodules: For each nodule those on it, ``[marks, ratings]``; none where it was missed.
        diameters_mm: Of the same nodules.
        on_nothing: Those on nothing known, in untouched volumes, ``[marks, ratings]``.
        scans: How many untouched volumes there were.
    """

    on_nodules: tuple[NDArray[np.float64], ...]
    diameters_mm: NDArray[np.float64]
    on_nothing: NDArray[np.float64]
    scans: int


def collect_marks(
    look: Callable[[WorkingVolume], tuple[Sequence[Candidate], NDArray[np.float64]]],
    cases: Sequence[PreparedCase],
    crops: Sequence[NoduleCrop],
    *,
    rounds: int,
    seed: int,
) -> InsertionMarks:
    """Looks at untouched volumes, and at the same with nodules inserted.

    Args:
        look: Gives the marks of a volume and their ratings, ``[marks, ratings]``.
        cases: Their own known nodules count as hits or misses too.
        crops: Nodules of patients that were not trained on.
        rounds: How often each volume is filled with other nodules, where there are any.
        seed: Of places and choices.
    """
    rng = np.random.default_rng(seed)
    hits: list[NDArray[np.float64]] = []
    diameters: list[float] = []
    false: list[NDArray[np.float64]] = []

    def count(volume: WorkingVolume, findings: Sequence[KnownFinding]) -> NDArray[np.float64]:
        """Notes the hits on findings, and returns the ratings of the marks on none of them."""
        marks, ratings = look(volume)
        on = np.array([[_on(mark, one) for one in findings] for mark in marks], bool)
        on = on.reshape(len(marks), len(findings))
        for column, finding in enumerate(findings):
            if not finding.ignored:
                hits.append(ratings[on[:, column]])
                diameters.append(finding.diameter_mm)
        return ratings[~on.any(axis=1)]

    for case in cases:
        false.append(count(case.volume, case.findings))
        for _ in range(rounds if crops else 0):
            chosen = rng.choice(len(crops), min(NODULES_A_SCAN, len(crops)), replace=False)
            count(*insert_nodules(case, [crops[int(i)] for i in chosen], rng))
        log.info(
            "tried %s: %d nodules, %d false marks so far",
            case.patient_id,
            len(hits),
            sum(map(len, false)),
        )
    return InsertionMarks(tuple(hits), np.array(diameters), np.concatenate(false), len(cases))


def _on(mark: Candidate, finding: KnownFinding) -> bool:
    off = np.linalg.norm(np.subtract(mark.centre_world_mm, finding.centre_world_mm))
    return bool(off < finding.diameter_mm / 2)
