"""Accuracy of the rater in predicting radiologists' suspicion, compared with size alone.

Run as ``python -m benchmarks.malignancy FOLD_MODELS [--nodules FOLDER] [--segmenters FOLDER
--source FOLDER]``.

FOLD_MODELS holds the models of a five-fold cross-validation by patient: ``FOLD_MODELS/K`` is what
``hounsfield train`` makes of configs/train_rater.yaml with ``data.fold: K``, for K = 0, 2, 4, 6, 8.
The model of K is tested on the folds K and K + 1, neither of which it was trained on. It is
calibrated again for each: for K on the nodules of K + 1, and for K + 1 on those of K. Size alone is
a logistic regression on the logarithm of the diameter and its square, fitted on all other folds.

Nodules are rated inside the readers' outlines. With the segmenters of five folds (as for
``benchmarks.segmentation --fold-models``) and the folder of the original nodules as source, they
are segmented by the segmenter of their fold, and rated and sized inside that segmentation.

The outcome is a rating of 4 or 5 rather than 1 or 2; nodules rated 3 are reported separately.
Intervals are bootstrapped over patients.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from benchmarks.material.real_nodules import patient_weights, real_nodules, with_interval
from hounsfield.data.prepared.case import load_case
from hounsfield.data.prepared.held_out import read_held_out
from hounsfield.data.prepared.nodule_crops import as_crop
from hounsfield.data.prepared.splits import read_split
from hounsfield.models.calibration import logistic_score
from hounsfield.models.inference.loading import load_rater, load_segmenter
from hounsfield.models.training.rater.publication import fitted_calibration
from hounsfield.models.training.rater.samples import as_outlined, is_suspicious
from hounsfield.models.views.rating import GRID_MM, resample_nodule
from hounsfield.pipeline.evaluation.classification.metrics import CLASSES, METRICS, weighted_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.models.views.rating import ResampledNodule


@dataclass(frozen=True, slots=True, eq=False)
class _Rated:
    """A nodule with a rating and a segmentation; None where the segmentation is empty."""

    patient_id: str
    finding: KnownFinding
    nodule: ResampledNodule | None

    @property
    def diameter_mm(self) -> float:
        """Diameter of the sphere with the volume of the segmentation."""
        volume_mm3 = self.nodule.fraction.sum(dtype=float) * GRID_MM**3 if self.nodule else 0.0
        return float((6 * volume_mm3 / np.pi) ** (1 / 3))


@dataclass(frozen=True, slots=True)
class _Predictions:
    """Predictions for nodules on which neither the model nor its calibration was fitted.

    Attributes:
        patient: (n,) patients numbered from 0.
        rating: (n,) median of the readers, 1 to 5.
        diameter_mm: (n,) of the sphere with the volume of the segmentation.
        probability: (n,) of a rating of 4 or 5, by the rater.
        uncalibrated: (n,) the same before the calibration, which differs between folds.
        by_size: (n,) the same, by the diameter alone.
    """

    patient: NDArray[np.intp]
    rating: NDArray[np.float64]
    diameter_mm: NDArray[np.float64]
    probability: NDArray[np.float64]
    uncalibrated: NDArray[np.float64]
    by_size: NDArray[np.float64]


def main() -> None:
    """Prints AUC, calibration and Brier score of the rater and of size alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fold_models", type=Path, nargs="?")
    parser.add_argument("--nodules", type=Path, default=Path("prepared/nodules"))
    parser.add_argument("--segmenters", type=Path)
    parser.add_argument("--source", type=Path)
    arguments = parser.parse_args()
    if (arguments.segmenters is None) != (arguments.source is None):
        parser.error("--segmenters and --source go together")
    if arguments.fold_models is None or not (arguments.source or arguments.nodules).is_dir():
        print("not run: needs the models of five folds and the nodules, see --help")
        return
    if arguments.segmenters:
        nodules = _segmented_by_models(arguments.segmenters, arguments.source)
    else:
        nodules = _segmented_by_readers(arguments.nodules)
    predictions = _predict(arguments.fold_models, nodules)
    _print_metrics(predictions)
    _print_rating_3(predictions)


def _predict(fold_models: Path, nodules: dict[int, list[_Rated]]) -> _Predictions:
    """Rates the nodules of each fold with the model that was not trained on their patients."""
    folds: list[int] = []
    kept: list[_Rated] = []
    logits: list[float] = []
    for folder in sorted(fold_models.iterdir()):
        rater = load_rater(folder, threads=1)
        for number in (int(folder.name), int(folder.name) + 1):
            in_fold = nodules[number]
            for rated, value in zip(
                in_fold, rater.logits([rated.nodule for rated in in_fold]), strict=True
            ):
                if value is not None:
                    folds.append(number)
                    kept.append(rated)
                    logits.append(value)
    fold, logit = np.array(folds), np.array(logits)
    suspicious = np.array([is_suspicious(rated.finding) for rated in kept])
    clear = np.array([outcome is not None for outcome in suspicious])
    diameter = np.array([rated.diameter_mm for rated in kept])
    size = np.stack([np.log(diameter), np.log(diameter) ** 2], axis=1)
    probability, by_size = np.empty(len(fold)), np.empty(len(fold))
    for held in np.unique(fold):
        partner, tested = held ^ 1, fold == held
        fitting = clear & (fold == partner)
        calibration = fitted_calibration(logit[fitting], suspicious[fitting].astype(bool))
        probability[tested] = logistic_score(logit[tested], calibration)
        known = clear & (fold // 2 != held // 2)
        by_size[tested] = _logistic(size[known], suspicious[known].astype(float), size[tested])
    _, patient = np.unique([rated.patient_id for rated in kept], return_inverse=True)
    rating = np.array([rated.finding.malignancy for rated in kept], float)
    return _Predictions(patient, rating, diameter, probability, special.expit(logit), by_size)


def _print_metrics(predictions: _Predictions) -> None:
    """Prints AUC, expected calibration error and Brier score with intervals, of rater and size."""
    clear = predictions.rating != 3
    weights = patient_weights(predictions.patient[clear])
    suspicious, patients = predictions.rating[clear] > 3, len(np.unique(predictions.patient[clear]))
    print(f"{clear.sum()} nodules of {patients} patients, {suspicious.sum()} rated 4 or 5")
    rated = _metrics(suspicious, predictions.probability[clear], weights)
    sized = _metrics(suspicious, predictions.by_size[clear], weights)
    for name in rated:
        _print_row(f"{name}, rater", rated[name])
        _print_row(f"{name}, size alone", sized[name])
    plain = _metrics(suspicious, predictions.uncalibrated[clear], weights)["AUC"]
    _print_row("AUC, rater uncalibrated", plain)
    _print_row("AUC, rater less size alone", rated["AUC"] - sized["AUC"])
    _print_row("AUC, uncalibrated less size alone", plain - sized["AUC"])
    small = clear & (predictions.diameter_mm < 10)
    for name, part in (("below 10 mm", small), ("from 10 mm", clear & ~small)):
        ones, outcomes = np.ones((1, part.sum()), np.int32), predictions.rating[part] > 3
        rater = _metrics(outcomes, predictions.probability[part], ones)["AUC"][0]
        size = _metrics(outcomes, predictions.by_size[part], ones)["AUC"][0]
        print(f"AUC {name} ({part.sum()}): rater {rater:.3f}, size alone {size:.3f}")


def _print_rating_3(predictions: _Predictions) -> None:
    """Prints the predictions for nodules with a median rating of 3."""
    probability = predictions.probability[predictions.rating == 3]
    low, middle, high = np.percentile(probability, [10, 50, 90]).tolist()
    print(
        f"rating 3, {len(probability)} nodules: median {middle:.2f}, 8 in 10 from {low:.2f} to "
        f"{high:.2f}; at least one half: {(probability >= 0.5).mean():.2f}"
    )


def _segmented_by_readers(nodules: Path) -> dict[int, list[_Rated]]:
    rated: dict[int, list[_Rated]] = {}
    held_out = read_held_out("held_out")
    for entry in read_split(nodules).series:
        crop = as_crop(load_case(nodules / entry.case))
        if entry.patient_id not in held_out and crop.finding.malignancy is not None:
            nodule = _Rated(crop.patient_id, crop.finding, as_outlined(crop))
            rated.setdefault(entry.fold, []).append(nodule)
    return rated


def _segmented_by_models(fold_models: Path, source: Path) -> dict[int, list[_Rated]]:
    rated: dict[int, list[_Rated]] = {}
    for folder in sorted(fold_models.iterdir()):
        segmenter = load_segmenter(folder, threads=1)
        for number in (int(folder.name), int(folder.name) + 1):
            for real in real_nodules(source, number.__eq__):
                if real.finding.malignancy is None:
                    continue
                (segmentations,) = segmenter.segment(real.volume, [real.candidate])
                outline = segmentations.reader_style
                nodule = resample_nodule(real.volume, outline) if outline else None
                rated.setdefault(number, []).append(_Rated(real.patient_id, real.finding, nodule))
    return rated


def _metrics(
    suspicious: NDArray[np.bool_], probability: NDArray[np.float64], weights: NDArray[np.int32]
) -> dict[str, NDArray[np.float64]]:
    """Metrics of the four-class evaluation, of which two classes occur here.

    The calibration error uses ten bins of the probability itself, not of the larger of the two
    probabilities: overconfidence at one end cannot cancel out against the other end.
    """
    probabilities = np.zeros((len(probability), len(CLASSES)))
    probabilities[:, 0], probabilities[:, 1] = probability, 1 - probability
    rows = weighted_metrics((~suspicious).astype(np.intp), probabilities, weights)
    bins = np.eye(10)[np.minimum((probability * 10).astype(int), 9)]
    errors = weights @ (bins * (probability - suspicious)[:, None])
    return {
        "AUC": rows[:, METRICS.index(f"auc/{CLASSES[0]}")],
        "ECE": np.abs(errors).sum(axis=1) / weights.sum(axis=1),
        "ECE of the likelier side": rows[:, METRICS.index("expected_calibration_error")],
        "Brier": rows[:, METRICS.index("brier_score")] / 2,
    }


def _print_row(name: str, values: NDArray[np.float64]) -> None:
    print(f"{name:36s} {with_interval(values)}")


def _logistic(
    features: NDArray[np.float64], outcomes: NDArray[np.float64], tested: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities of the tested rows by logistic regression, fitted by Newton's method."""
    rows = np.column_stack([np.ones(len(features)), features])
    weights = np.zeros(rows.shape[1])
    for _ in range(20):
        likely = special.expit(rows @ weights)
        curve = rows.T @ (rows * (likely * (1 - likely))[:, None]) + 1e-6 * np.eye(len(weights))
        weights += np.linalg.solve(curve, rows.T @ (outcomes - likely))
    probabilities: NDArray[np.float64] = special.expit(
        np.column_stack([np.ones(len(tested)), tested]) @ weights
    )
    return probabilities


if __name__ == "__main__":
    main()
