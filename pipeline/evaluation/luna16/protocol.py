"""The LUNA16 protocol: matches predictions with nodules and excluded findings.

The rules are those of the official script ``noduleCADEvaluationLUNA16.py`` (Setio et al. 2017,
Medical Image Analysis 42:1-13); docs/evaluation.md lists them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.luna16.froc import MISSED_SCORE, FrocEntries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.pipeline.evaluation.luna16.input_tables import Findings, Predictions

MAX_PREDICTIONS_PER_SCAN = 100
"""Predictions of a scan beyond this limit are dropped."""

UNKNOWN_DIAMETER_MM = 10.0
"""Diameter that stands for a negative one in the annotations."""


class PredictionOutcome(IntEnum):
    """How the protocol counts a prediction."""

    FALSE_POSITIVE = 0
    BEST_ON_NODULE = 1
    IGNORED_DUPLICATE = 2
    IGNORED_EXCLUDED = 3
    OVER_LIMIT = 4


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The predictions of a submission, matched.

    Attributes:
        outcome: (predictions,) a `PredictionOutcome` each.
        best_prediction: (nodules,) index of the prediction that counts, -1 for a missed nodule.
        predictions_on_nodule: (nodules,) number of predictions that hit the nodule.
        entries: Scores that enter the FROC curve.
    """

    outcome: NDArray[np.int8]
    best_prediction: NDArray[np.intp]
    predictions_on_nodule: NDArray[np.intp]
    entries: FrocEntries

    def count(self, outcome: PredictionOutcome) -> int:
        """Returns the number of predictions with this outcome."""
        return int(np.count_nonzero(self.outcome == outcome))

    @property
    def true_positives(self) -> int:
        """Nodules with at least one prediction; a prediction on two nodules detects both."""
        return int(np.count_nonzero(self.best_prediction >= 0))

    @property
    def ignored_duplicates(self) -> int:
        """Predictions beyond the first, summed over nodules as in the official count."""
        return int(np.maximum(self.predictions_on_nodule - 1, 0).sum())


def match_predictions(
    predictions: Predictions,
    nodules: Findings,
    excluded: Findings,
    *,
    scans: int,
    max_per_scan: int = MAX_PREDICTIONS_PER_SCAN,
) -> MatchResult:
    """Matches every prediction, with the nodules first and then with the excluded findings.

    Args:
        predictions: Predictions on listed scans with finite scores.
        nodules: Ground-truth nodules on listed scans.
        excluded: Findings on which predictions are ignored.
        scans: Number of listed scans.
        max_per_scan: Largest number of predictions that count on a scan.

    Returns:
        The outcome of each prediction and of each nodule.
    """
    kept = top_predictions_per_scan(predictions.scan, predictions.score, max_per_scan=max_per_scan)
    on_nodule, nodule = find_hits(predictions, nodules, kept)
    on_excluded, _ = find_hits(predictions, excluded, kept)

    outcome = np.full(len(predictions.score), PredictionOutcome.FALSE_POSITIVE, np.int8)
    outcome[on_excluded] = PredictionOutcome.IGNORED_EXCLUDED
    outcome[on_nodule] = PredictionOutcome.IGNORED_DUPLICATE
    best = _best_predictions(on_nodule, nodule, predictions.score, len(nodules.scan))
    is_detected = best >= 0
    outcome[best[is_detected]] = PredictionOutcome.BEST_ON_NODULE
    outcome[~kept] = PredictionOutcome.OVER_LIMIT

    false_positive = outcome == PredictionOutcome.FALSE_POSITIVE
    nodule_score = np.full(len(nodules.scan), MISSED_SCORE)
    nodule_score[is_detected] = predictions.score[best[is_detected]]
    return MatchResult(
        outcome=outcome,
        best_prediction=best,
        predictions_on_nodule=np.bincount(nodule, minlength=len(nodules.scan)).astype(np.intp),
        entries=FrocEntries(
            scans=scans,
            nodule_scan=nodules.scan,
            nodule_score=nodule_score,
            false_positive_scan=predictions.scan[false_positive],
            false_positive_score=predictions.score[false_positive],
        ),
    )


def top_predictions_per_scan(
    scan: NDArray[np.intp],
    score: NDArray[np.float64],
    *,
    max_per_scan: int = MAX_PREDICTIONS_PER_SCAN,
) -> NDArray[np.bool_]:
    """Selects the predictions that stay where a scan has more than the limit.

    Only predictions that score strictly higher than the first one beyond the limit (the 101st)
    are kept: all that tie with it are dropped, so fewer than the limit may stay.

    Args:
        scan: (n,) scan index of each prediction.
        score: (n,) score of each prediction, finite.
        max_per_scan: Largest number of predictions that count on a scan.

    Returns:
        (n,) True for a prediction that stays.
    """
    kept = np.ones(len(score), np.bool_)
    order = np.lexsort((-score, scan))
    starts = np.flatnonzero(np.diff(scan[order], prepend=-1))
    counts = np.diff(starts, append=len(order))
    for index in np.flatnonzero(counts > max_per_scan):
        group = order[starts[index] : starts[index] + counts[index]]
        kept[group] = score[group] > score[group[max_per_scan]]
    return kept


def radii_mm(findings: Findings) -> NDArray[np.float64]:
    """Returns the hit radius of each finding.

    Args:
        findings: Findings with diameters in mm; a negative one counts as `UNKNOWN_DIAMETER_MM`.

    Returns:
        (n,) radii in mm.
    """
    return np.where(findings.diameter_mm < 0, UNKNOWN_DIAMETER_MM, findings.diameter_mm) / 2


def same_scan_pairs(
    prediction_scan: NDArray[np.intp], finding_scan: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs every prediction with every finding of its scan.

    Args:
        prediction_scan: (predictions,) scan index of each prediction.
        finding_scan: (findings,) scan index of each finding.

    Returns:
        Two arrays of the same length: indices of predictions and of findings.
    """
    order = np.argsort(prediction_scan, kind="stable")
    ordered = prediction_scan[order]
    first = np.searchsorted(ordered, finding_scan, "left")
    count = np.searchsorted(ordered, finding_scan, "right") - first
    finding = np.repeat(np.arange(len(finding_scan)), count)
    step = np.arange(len(finding)) - np.repeat(np.cumsum(count) - count, count)
    return order[np.repeat(first, count) + step], finding


def find_hits(
    predictions: Predictions, findings: Findings, kept: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Finds the pairs whose distance is strictly less than the radius of the finding.

    Squares are compared, in mm and summed in the order of the official script, so that a
    prediction on the rim gets the same outcome.

    Args:
        predictions: Predictions, centres in LPS mm.
        findings: Nodules or excluded findings, centres in LPS mm.
        kept: (predictions,) False for a prediction to leave out.

    Returns:
        Two arrays of the same length: indices of predictions and of the findings that they hit.
    """
    kept_index = np.flatnonzero(kept)
    prediction, finding = same_scan_pairs(predictions.scan[kept_index], findings.scan)
    prediction = kept_index[prediction]
    squared = np.zeros(len(prediction))
    for axis in range(3):
        predicted, true = predictions.centre_world_mm[:, axis], findings.centre_world_mm[:, axis]
        squared += (true[finding] - predicted[prediction]) ** 2
    inside = squared < (radii_mm(findings) ** 2)[finding]
    return prediction[inside], finding[inside]


def _best_predictions(
    prediction: NDArray[np.intp], nodule: NDArray[np.intp], score: NDArray[np.float64], nodules: int
) -> NDArray[np.intp]:
    """Returns the prediction of highest score on each nodule, the earliest of equals."""
    best = np.full(nodules, -1, np.intp)
    order = np.lexsort((-prediction, score[prediction]))
    best[nodule[order]] = prediction[order]  # the last assignment wins: the highest score
    return best
