"""How well the rater foretells radiologists' suspicion of nodules, beside their size alone.

Run as ``python -m benchmarks.malignancy FOLD_MODELS [--nodules FOLDER] [--segmenters FOLDER
--source FOLDER]``.

FOLD_MODELS holds the models of a five-fold cross-validation by patient: ``FOLD_MODELS/K`` is what
``hounsfield train`` makes of configs/train_rater.yaml with ``data.fold: K``, for K = 0, 2, 4, 6, 8.
The model of K is judged on the folds K and K + 1, of which it trained on neither. It is calibrated
anew for each: for K on the nodules of K + 1, and for K + 1 on those of K. Size alone is a logistic
line through the logarithm of the diameter and its square, fitted on all other folds.

They are rated inside the readers' outlines. With the segmenters of five folds (as
``benchmarks.segmentation --fold-models`` takes them) and the nodules as they came, as a source,
they are rated inside those that the segmenter of their fold draws, and sized by them.

Ratings 4 and 5 are told from 1 and 2; what is said of rating 3 is reported apart. All intervals
draw whole patients with replacement.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from benchmarks.real_nodules import (
    patient_weights,
    real_nodules,
    with_interval,
)
from hounsfield.data.prepared.case import load_case
from hounsfield.data.prepared.held_out import read_held_out
from hounsfield.data.prepared.nodule_crops import as_crop
from hounsfield.data.prepared.splits import read_split
from hounsfield.models.inference.loading import load_rater, load_segmenter
from hounsfield.models.training.rater.samples import as_outlined, is_suspicious
from hounsfield.models.training.rater.task import fitted_calibration
from hounsfield.models.views.rating import GRID_MM, resample_nodule
from hounsfield.pipeline.evaluation.classification.metrics import CLASSES, METRICS, weighted_metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.models.views.rating import ResampledNodule


@dataclass(frozen=True, slots=True, eq=False)
class _Rated:
    """A nodule that readers rated, with an outline around it; None where nothing is inside."""

    patient_id: str
    finding: KnownFinding
    outlined: ResampledNodule | None

    @property
    def diameter_mm(self) -> float:
        """Of the sphere of the outline's volume."""
        volume_mm3 = self.outlined.fraction.sum(dtype=float) * GRID_MM**3 if self.outlined else 0.0
        return float((6 * volume_mm3 / np.pi) ** (1 / 3))


@dataclass(frozen=True, slots=True)
class Judged:
    """Nodules that a model and its calibration have not seen.

    Attributes:
        patient: (n,) counted from 0.
        rating: (n,) 1 to 5.
        diameter_mm: (n,) of the sphere of the outlines' volume.
        probability: (n,) of a rating of 4 or 5, by the rater.
        uncalibrated: (n,) the same before any calibration, of which each fold has its own.
        by_size: (n,) the same by the diameter alone.
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
    asked = parser.parse_args()
    if (asked.segmenters is None) != (asked.source is None):
        parser.error("--segmenters and --source go together")
    if asked.fold_models is None or not (asked.source or asked.nodules).is_dir():
        print("not run: needs the models of five folds and the nodules, see --help")
        return
    if asked.segmenters:
        nodules = _outlined_by_segmenters(asked.segmenters, asked.source)
    else:
        nodules = _outlined_by_readers(asked.nodules)
    judged = judge(asked.fold_models, nodules)
    print_figures(judged)
    print_doubtful(judged)


def judge(fold_models: Path, nodules: dict[int, list[_Rated]]) -> Judged:
    """Rates every nodule, by its fold, by the model that knows neither it nor its patient."""
    folds: list[int] = []
    kept: list[_Rated] = []
    logits: list[float] = []
    for folder in sorted(fold_models.iterdir()):
        rater = load_rater(folder, threads=1)
        for number in (int(folder.name), int(folder.name) + 1):
            answers = rater.logits([one.outlined for one in nodules[number]])
            for one, answer in zip(nodules[number], answers, strict=True):
                if answer is not None:
                    folds.append(number)
                    kept.append(one)
                    logits.append(answer)
    fold, logit = np.array(folds), np.array(logits)
    suspicious = np.array([is_suspicious(one.finding) for one in kept])
    clear = np.array([one is not None for one in suspicious])
    diameter = np.array([one.diameter_mm for one in kept])
    size = np.stack([np.log(diameter), np.log(diameter) ** 2], axis=1)
    probability, by_size = np.empty(len(fold)), np.empty(len(fold))
    for held in np.unique(fold):
        partner, judged = held ^ 1, fold == held
        fitting = clear & (fold == partner)
        line = fitted_calibration(logit[fitting], suspicious[fitting].astype(bool))
        probability[judged] = special.expit(line.slope * logit[judged] + line.intercept)
        known = clear & (fold // 2 != held // 2)
        by_size[judged] = _logistic(size[known], suspicious[known].astype(float), size[judged])
    _, patient = np.unique([one.patient_id for one in kept], return_inverse=True)
    rating = np.array([one.finding.malignancy for one in kept], float)
    return Judged(patient, rating, diameter, probability, special.expit(logit), by_size)


def print_figures(judged: Judged) -> None:
    """AUC, expected calibration error and Brier score with intervals; rater against size."""
    clear = judged.rating != 3
    weights = patient_weights(judged.patient[clear])
    suspicious, patients = judged.rating[clear] > 3, len(np.unique(judged.patient[clear]))
    print(f"{clear.sum()} nodules of {patients} patients, {suspicious.sum()} rated 4 or 5")
    rated = _figures(suspicious, judged.probability[clear], weights)
    sized = _figures(suspicious, judged.by_size[clear], weights)
    for name in rated:
        _print_row(f"{name}, rater", rated[name])
        _print_row(f"{name}, size alone", sized[name])
    plain = _figures(suspicious, judged.uncalibrated[clear], weights)["AUC"]
    _print_row("AUC, rater uncalibrated", plain)
    _print_row("AUC, rater less size alone", rated["AUC"] - sized["AUC"])
    _print_row("AUC, uncalibrated less size alone", plain - sized["AUC"])
    small = clear & (judged.diameter_mm < 10)
    for name, part in (("below 10 mm", small), ("from 10 mm", clear & ~small)):
        ones = np.ones((1, part.sum()), np.int32)
        rater = _figures(judged.rating[part] > 3, judged.probability[part], ones)["AUC"][0]
        size = _figures(judged.rating[part] > 3, judged.by_size[part], ones)["AUC"][0]
        print(f"AUC {name} ({part.sum()}): rater {rater:.3f}, size alone {size:.3f}")


def print_doubtful(judged: Judged) -> None:
    """What is said of nodules with the median rating of 3."""
    doubtful = judged.probability[judged.rating == 3]
    low, middle, high = np.percentile(doubtful, [10, 50, 90]).tolist()
    print(
        f"rating 3, {len(doubtful)} nodules: median {middle:.2f}, 8 in 10 from {low:.2f} to "
        f"{high:.2f}; called suspicious at one half: {(doubtful >= 0.5).mean():.2f}"
    )


def _outlined_by_readers(nodules: Path) -> dict[int, list[_Rated]]:
    rated: dict[int, list[_Rated]] = {}
    held_out = read_held_out("held_out")
    for entry in read_split(nodules).series:
        crop = as_crop(load_case(nodules / entry.case))
        if entry.patient_id not in held_out and crop.finding.malignancy is not None:
            one = _Rated(crop.patient_id, crop.finding, as_outlined(crop))
            rated.setdefault(entry.fold, []).append(one)
    return rated


def _outlined_by_segmenters(fold_models: Path, source: Path) -> dict[int, list[_Rated]]:
    rated: dict[int, list[_Rated]] = {}
    for folder in sorted(fold_models.iterdir()):
        segmenter = load_segmenter(folder, threads=1)
        for number in (int(folder.name), int(folder.name) + 1):
            for real in real_nodules(source, number.__eq__):
                if real.rated.malignancy is None:
                    continue
                drawn = segmenter.segment(real.volume, [real.told])[0].reader_style
                outlined = resample_nodule(real.volume, drawn) if drawn else None
                one = _Rated(real.patient_id, real.rated, outlined)
                rated.setdefault(number, []).append(one)
    return rated


def _figures(
    suspicious: NDArray[np.bool_], probability: NDArray[np.float64], weights: NDArray[np.int32]
) -> dict[str, NDArray[np.float64]]:
    """The figures of the four-class evaluation, of which two classes occur here.

    The calibration error is over ten bins of the probability itself, not of the larger one of
    the two: a rater that is too sure of both ends cannot hide behind the other.
    """
    two = np.zeros((len(probability), len(CLASSES)))
    two[:, 0], two[:, 1] = probability, 1 - probability
    rows = weighted_metrics((~suspicious).astype(np.intp), two, weights)
    bins = np.eye(10)[np.minimum((probability * 10).astype(int), 9)]
    off = weights @ (bins * (probability - suspicious)[:, None])
    return {
        "AUC": rows[:, METRICS.index(f"auc/{CLASSES[0]}")],
        "ECE": np.abs(off).sum(axis=1) / weights.sum(axis=1),
        "ECE of the likelier side": rows[:, METRICS.index("expected_calibration_error")],
        "Brier": rows[:, METRICS.index("brier_score")] / 2,
    }


def _print_row(name: str, values: NDArray[np.float64]) -> None:
    print(f"{name:36s} {with_interval(values)}")


def _logistic(
    features: NDArray[np.float64], truth: NDArray[np.float64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probabilities by logistic regression: five rounds of Newton and more are not needed."""
    rows = np.column_stack([np.ones(len(features)), features])
    weights = np.zeros(rows.shape[1])
    for _ in range(20):
        likely = special.expit(rows @ weights)
        curve = rows.T @ (rows * (likely * (1 - likely))[:, None]) + 1e-6 * np.eye(len(weights))
        weights += np.linalg.solve(curve, rows.T @ (truth - likely))
    answer: NDArray[np.float64] = special.expit(
        np.column_stack([np.ones(len(asked)), asked]) @ weights
    )
    return answer


if __name__ == "__main__":
    main()
