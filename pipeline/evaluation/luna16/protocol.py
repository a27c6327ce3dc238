"""The LUNA16 protocol: which mark counts, which is ignored, which is a false positive.

The rules are those of the official script ``noduleCADEvaluationLUNA16.py`` (Setio et al. 2017,
Medical Image Analysis 42:1-13); docs/evaluation.md states them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.luna16.froc import MISSED_SCORE, FrocEntries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.pipeline.evaluation.luna16.submission import Findings, Marks

MARKS_PER_SCAN = 100
"""More marks than these on a scan are cut."""

UNKNOWN_DIAMETER_MM = 10.0
"""What a negative diameter in the annotations stands for."""


class PredictionOutcome(IntEnum):
    """What the protocol makes of a mark."""

    FALSE_POSITIVE = 0
    BEST_ON_NODULE = 1
    IGNORED_DUPLICATE = 2
    IGNORED_EXCLUDED = 3
    OVER_LIMIT = 4


@dataclass(frozen=True, slots=True)
class Judgement:
    """A submission judged.

    Attributes:
        fate: (marks,) a `PredictionOutcome` each.
        best_mark: (nodules,) index of the mark that counts, -1 for a missed nodule.
        marks_on_nodule: (nodules,) how many marks lie on it.
        entries: What enters the FROC curve.
    """

    fate: NDArray[np.int8]
    best_mark: NDArray[np.intp]
    marks_on_nodule: NDArray[np.intp]
    entries: FrocEntries

    def count(self, fate: PredictionOutcome) -> int:
        """Counts the marks with this fate."""
        return int(np.count_nonzero(self.fate == fate))

    @property
    def true_positives(self) -> int:
        """Nodules with at least one mark (a mark on two nodules finds both)."""
        return int(np.count_nonzero(self.best_mark >= 0))

    @property
    def ignored_duplicates(self) -> int:
        """Marks beyond the first on each nodule, summed over nodules as the official count is."""
        return int(np.maximum(self.marks_on_nodule - 1, 0).sum())


def judge(
    marks: Marks,
    nodules: Findings,
    excluded: Findings,
    *,
    scans: int,
    marks_per_scan: int = MARKS_PER_SCAN,
) -> Judgement:
    """Judges every mark, against the nodules first and the excluded findings then.

    Args:
        marks: Marks on listed scans with finite scores.
        nodules: Those that count.
        excluded: Findings on which marks are ignored.
        scans: How many scans are listed.
        marks_per_scan: The cap.
    """
    kept = top_predictions_per_scan(marks.scan, marks.score, marks_per_scan=marks_per_scan)
    mark, nodule = hits(marks, nodules, kept)
    mark_excluded, _ = hits(marks, excluded, kept)

    fate = np.full(len(marks.score), PredictionOutcome.FALSE_POSITIVE, np.int8)
    fate[mark_excluded] = PredictionOutcome.IGNORED_EXCLUDED
    fate[mark] = PredictionOutcome.IGNORED_DUPLICATE
    best_mark = _best_marks(mark, nodule, marks.score, len(nodules.scan))
    found = best_mark >= 0
    fate[best_mark[found]] = PredictionOutcome.BEST_ON_NODULE
    fate[~kept] = PredictionOutcome.OVER_LIMIT

    false_positive = fate == PredictionOutcome.FALSE_POSITIVE
    nodule_score = np.full(len(nodules.scan), MISSED_SCORE)
    nodule_score[found] = marks.score[best_mark[found]]
    return Judgement(
        fate=fate,
        best_mark=best_mark,
        marks_on_nodule=np.bincount(nodule, minlength=len(nodules.scan)).astype(np.intp),
        entries=FrocEntries(
            scans=scans,
            nodule_scan=nodules.scan,
            nodule_score=nodule_score,
            false_positive_scan=marks.scan[false_positive],
            false_positive_score=marks.score[false_positive],
        ),
    )


def top_predictions_per_scan(
    scan: NDArray[np.intp], score: NDArray[np.float64], *, marks_per_scan: int = MARKS_PER_SCAN
) -> NDArray[np.bool_]:
    """Says which marks stay when a scan holds more than the cap.

    Those strictly above the score of the first mark beyond the cap (the 101st) are kept: marks
    that tie with it are all cut, so fewer than the cap may stay.
    """
    kept = np.ones(len(score), np.bool_)
    order = np.lexsort((-score, scan))
    starts = np.flatnonzero(np.diff(scan[order], prepend=-1))
    counts = np.diff(starts, append=len(order))
    for index in np.flatnonzero(counts > marks_per_scan):
        group = order[starts[index] : starts[index] + counts[index]]
        kept[group] = score[group] > score[group[marks_per_scan]]
    return kept


def radii_mm(findings: Findings) -> NDArray[np.float64]:
    """Returns each finding's hit radius; a negative diameter counts as 10 mm."""
    return np.where(findings.diameter_mm < 0, UNKNOWN_DIAMETER_MM, findings.diameter_mm) / 2


def same_scan_pairs(
    mark_scan: NDArray[np.intp], finding_scan: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs every mark with every finding of its scan.

    Returns:
        Two arrays of one length: the mark's index and the finding's.
    """
    order = np.argsort(mark_scan, kind="stable")
    ordered = mark_scan[order]
    first = np.searchsorted(ordered, finding_scan, "left")
    count = np.searchsorted(ordered, finding_scan, "right") - first
    finding = np.repeat(np.arange(len(finding_scan)), count)
    step = np.arange(len(finding)) - np.repeat(np.cumsum(count) - count, count)
    return order[np.repeat(first, count) + step], finding


def hits(
    marks: Marks, findings: Findings, kept: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Finds the pairs whose distance is strictly less than the finding's radius.

    Both are squared before they are compared, in mm and in the official script's order of sums,
    so that a mark on the rim is judged in the same way.
    """
    kept_index = np.flatnonzero(kept)
    mark, finding = same_scan_pairs(marks.scan[kept_index], findings.scan)
    mark = kept_index[mark]
    squared = np.zeros(len(mark))
    for axis in range(3):
        of_marks, of_findings = marks.centre_world_mm[:, axis], findings.centre_world_mm[:, axis]
        squared += (of_findings[finding] - of_marks[mark]) ** 2
    inside = squared < (radii_mm(findings) ** 2)[finding]
    return mark[inside], finding[inside]


def _best_marks(
    mark: NDArray[np.intp], nodule: NDArray[np.intp], score: NDArray[np.float64], nodules: int
) -> NDArray[np.intp]:
    """Returns the mark of highest score on each nodule, the earliest of equals."""
    best = np.full(nodules, -1, np.intp)
    order = np.lexsort((-mark, score[mark]))
    best[nodule[order]] = mark[order]  # the last written stands: the highest score
    return best
