"""From heat-map peaks to probabilities and operating points, on held-out nodules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

from hounsfield.models.store.manifest import Calibration, OperatingPoints
from hounsfield.models.training.checks.insertion_benchmark import collect_marks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.contracts import Candidate, Detector
    from hounsfield.models.training.checks.insertion_benchmark import InsertionMarks
    from hounsfield.preprocessing.working_volume import WorkingVolume

NODULES_EXPECTED_A_SCAN = 1.0
LOWEST_SLOPE = 0.05
FALSE_POSITIVES_A_SCAN = {"screening": 4.0, "default": 1.0, "strict": 0.25}


@dataclass(frozen=True, slots=True, eq=False)
class DetectorValidation:
    """What a detector did on the yardstick.

    Attributes:
        hit_scores: Best score on each inserted nodule, 0 where none was given.
        diameters_mm: Of the same nodules.
        false_scores: Scores of the marks on untouched volumes that lie on nothing known.
        scans: How many untouched volumes there were.
    """

    hit_scores: NDArray[np.float64]
    diameters_mm: NDArray[np.float64]
    false_scores: NDArray[np.float64]
    scans: int

    def threshold(self, false_positives_a_scan: float) -> float:
        """The lowest score that keeps false positives at or below a rate."""
        allowed = int(false_positives_a_scan * self.scans)
        ranked = np.sort(self.false_scores)[::-1]
        return float(np.nextafter(ranked[allowed], 1)) if allowed < len(ranked) else 0.0

    def sensitivity(self, false_positives_a_scan: float, least_mm: float = 0.0) -> float:
        """The part of the inserted nodules of a size and more that are found at a rate."""
        chosen = self.hit_scores[self.diameters_mm >= least_mm]
        return float(np.mean(chosen >= max(self.threshold(false_positives_a_scan), 1e-9)))


def validate_detector(
    detector: Detector,
    cases: Sequence[PreparedCase],
    crops: Sequence[NoduleCrop],
    *,
    rounds: int,
    seed: int,
) -> DetectorValidation:
    """Runs a detector, whose calibration should be plain, on the yardstick of `collect_marks`."""

    def look(volume: WorkingVolume) -> tuple[list[Candidate], NDArray[np.float64]]:
        marks = detector.detect(volume)
        return marks, np.array([mark.score for mark in marks]).reshape(-1, 1)

    marks = collect_marks(look, cases, crops, rounds=rounds, seed=seed)
    return scored(marks, lambda scores: scores[:, 0])


def scored(
    marks: InsertionMarks, score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> DetectorValidation:
    """The trial of a model that scores marks, from their ratings ``[marks, ratings]``, so."""
    return DetectorValidation(
        np.array([score(ratings).max(initial=0.0) for ratings in marks.on_nodules]),
        marks.diameters_mm,
        score(marks.on_nothing),
        marks.scans,
    )


def calibrate(trial: DetectorValidation) -> Calibration:
    """Fits score = logistic(slope x logit + intercept) by maximum likelihood (Platt, 1999).

    The trial holds many nodules a scan; they are weighted so that a score is the probability
    that a mark is a nodule in scans with `NODULES_EXPECTED_A_SCAN`. Where there is no hit or no
    false mark, nothing can be fitted: scores stay as they are.
    """
    found = trial.hit_scores[trial.hit_scores > 0]
    if not len(found) or not len(trial.false_scores):
        return Calibration()
    logits = special.logit(np.clip(np.concatenate((found, trial.false_scores)), 1e-6, 1 - 1e-6))
    (slope,), intercept = fit_logistic(
        logits[:, None], np.arange(len(logits)) < len(found), trial.scans
    )
    return Calibration(slope=slope, intercept=intercept)


def fit_logistic(
    logits: NDArray[np.float64], hit: NDArray[np.bool_], scans: int
) -> tuple[list[float], float]:
    """Slopes, none below `LOWEST_SLOPE`, and intercept of a calibration; see `calibrate`.

    Args:
        logits: ``[marks, models]``.
        hit: Which marks lie on a nodule; some do, some do not.
        scans: How many the other marks come from.
    """
    hits, models = int(hit.sum()), logits.shape[1]
    # Platt's targets: a few nodules that stand apart must not drive every score to 0 or 1.
    target = np.where(hit, (hits + 1) / (hits + 2), 1 / (np.sum(~hit) + 2))
    weight = np.where(hit, scans * NODULES_EXPECTED_A_SCAN / hits, 1.0)

    def unlikelihood(parameters: NDArray[np.float64]) -> float:
        margin = logits @ parameters[:-1] + parameters[-1]
        return float(np.mean(weight * (np.logaddexp(0.0, margin) - target * margin)))

    # A network that knows little may mark nodules lower than the rest: the order stays its own.
    best = optimize.minimize(
        unlikelihood,
        np.array([1.0] * models + [0.0]),
        bounds=[*[(LOWEST_SLOPE, None)] * models, (None, None)],
    )
    *slopes, intercept = (round(value, 4) for value in best.x.tolist())
    return slopes, intercept


def operating_points(trial: DetectorValidation, calibration: Calibration) -> OperatingPoints:
    """Calibrated thresholds for each rate of `FALSE_POSITIVES_A_SCAN`."""
    points = {}
    for name, rate in FALSE_POSITIVES_A_SCAN.items():
        raw = np.clip(trial.threshold(rate), 1e-6, 1 - 1e-6)
        margin = calibration.slope * special.logit(raw) + calibration.intercept
        points[name] = round(float(special.expit(margin)), 4)
    return OperatingPoints(**points)
