"""Metrics of a classifier on weighted cases, so that a bootstrap is a matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.findings import NoduleClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = tuple(name.value for name in NoduleClass)
CONFIDENCE_BINS = 10
OVERALL = (
    "balanced_accuracy",
    "macro_f1",
    "macro_auc",
    "expected_calibration_error",
    "brier_score",
)
METRICS = (
    *OVERALL,
    *(f"{metric}/{name}" for metric in ("sensitivity", "specificity", "auc") for name in CLASSES),
)
_MAX_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Cases:
    """Findings, or studies, of known class with their predictions.

    Attributes:
        patient: (n,) index of the patient, from 0 without gaps.
        true_class: (n,) index into `CLASSES`.
        probabilities: (n, 4) predicted probabilities in the order of `CLASSES`.
        diameter_mm: (n,) diameter, NaN if not given.
    """

    patient: NDArray[np.intp]
    true_class: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    diameter_mm: NDArray[np.float64]


def weighted_metrics(
    true_class: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    weights: NDArray[np.int32],
) -> NDArray[np.float64]:
    """Computes every metric for each row of weights.

    The predicted class is the one of largest probability. Balanced accuracy, macro F1 and macro
    AUC are means over the classes that occur. The AUC of a class against the others is the
    Mann-Whitney statistic, with ties counting half. The expected calibration error (Guo et al.,
    ICML 2017) uses ten equal bins of the largest probability; the Brier score (Brier, Monthly
    Weather Review 1950;78:1-3) is summed over the four classes.

    Args:
        true_class: (n,) index of the true class in `CLASSES`.
        probabilities: (n, 4) predicted probabilities in the order of `CLASSES`.
        weights: (rows, n) how often each case was drawn.

    Returns:
        (rows, metrics) in the order of `METRICS`, NaN where a metric is undefined.
    """
    step = max(1, _MAX_CELLS // max(1, len(true_class)))
    blocks = [
        _metrics(true_class, probabilities, weights[start : start + step].astype(np.float64))
        for start in range(0, len(weights), step)
    ]
    return np.concatenate(blocks)


def confusion_matrix(
    true_class: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Counts cases by true and predicted class.

    Args:
        true_class: (n,) index of the true class in `CLASSES`.
        probabilities: (n, 4) predicted probabilities in the order of `CLASSES`.
        weights: (rows, n) how often each case was drawn.

    Returns:
        (rows, true, predicted) weighted counts.
    """
    classes = len(CLASSES)
    cell = true_class * classes + probabilities.argmax(axis=1)
    counts: NDArray[np.float64] = weights @ np.eye(classes * classes)[cell]
    return counts.reshape(-1, classes, classes)


def reliability(
    true_class: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Sums the quantities of a reliability diagram in each bin of the largest probability.

    Args:
        true_class: (n,) index of the true class in `CLASSES`.
        probabilities: (n, 4) predicted probabilities in the order of `CLASSES`.
        weights: (rows, n) how often each case was drawn.

    Returns:
        (rows, bins) each: number of cases, sum of the largest probabilities, correct cases.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == true_class
    index = np.minimum((confidence * CONFIDENCE_BINS).astype(np.intp), CONFIDENCE_BINS - 1)
    member = np.eye(CONFIDENCE_BINS)[index]
    return (
        weights @ member,
        weights @ (member * confidence[:, None]),
        weights @ (member * correct[:, None]),
    )


def _metrics(
    true_class: NDArray[np.intp],
    probabilities: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    matrix = confusion_matrix(true_class, probabilities, weights)
    hit = np.diagonal(matrix, axis1=1, axis2=2)
    of_class, predicted = matrix.sum(axis=2), matrix.sum(axis=1)
    total = weights.sum(axis=1)
    sensitivity = _ratio(hit, of_class)
    specificity = _ratio(total[:, None] - of_class - predicted + hit, total[:, None] - of_class)
    f1 = np.where(of_class > 0, _ratio(2 * hit, of_class + predicted), np.nan)
    truth = np.eye(len(CLASSES))[true_class]
    auc = np.stack(
        [_auc(truth[:, k], probabilities[:, k], weights) for k in range(len(CLASSES))], axis=1
    )
    _, confidence, correct = reliability(true_class, probabilities, weights)
    calibration = _ratio(np.abs(correct - confidence).sum(axis=1), total)
    brier = _ratio(weights @ ((probabilities - truth) ** 2).sum(axis=1), total)
    overall = np.stack(
        [_defined_mean(sensitivity), _defined_mean(f1), _defined_mean(auc), calibration, brier],
        axis=1,
    )
    return np.concatenate([overall, sensitivity, specificity, auc], axis=1)


def _auc(
    truth: NDArray[np.float64], score: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns the area under the ROC curve for each row of weights."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))  # first of each run of ties
    positive = np.add.reduceat(weights[:, order] * truth[order], starts, axis=1)
    negative = np.add.reduceat(weights[:, order] * (1 - truth[order]), starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    won = (positive * (below + negative / 2)).sum(axis=1)
    return _ratio(won, positive.sum(axis=1) * negative.sum(axis=1))


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divides; NaN where the divisor is 0."""
    quotient = np.full(above.shape, np.nan)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient


def _defined_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean over the classes with a defined value."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1).astype(float))
