"""Validates and calibrates a detector on held-out nodules: probabilities and operating points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from hounsfield.models.store.manifest import Calibration, OperatingPoints
from hounsfield.models.training.checks.insertion_benchmark import collect_candidates
from hounsfield.models.training.engine.calibration_fit import fit_weighted_platt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.contracts import Detector
    from hounsfield.models.findings import Candidate
    from hounsfield.models.training.checks.insertion_benchmark import InsertionCandidates
    from hounsfield.preprocessing.working_volume import WorkingVolume

EXPECTED_NODULES_PER_SCAN = 1.0
"""Prevalence for which scores are calibrated; the validation set holds many more."""

FALSE_POSITIVES_PER_SCAN = {"screening": 4.0, "default": 1.0, "strict": 0.25}
"""Rate of false positives that each operating point allows."""

REPORTED_RATES = (0.25, 1.0, 4.0)
"""False positives per scan at which model cards state the sensitivity."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorValidation:
    """Scores of a detector on the validation set.

    Attributes:
        hit_scores: Best score on each nodule, 0 where it was missed.
        diameters_mm: Diameters of the same nodules.
        false_scores: Scores of the predictions on no known finding, in untouched volumes.
        scans: Number of untouched volumes.
    """

    hit_scores: NDArray[np.float64]
    diameters_mm: NDArray[np.float64]
    false_scores: NDArray[np.float64]
    scans: int

    def threshold(self, false_positives_per_scan: float) -> float:
        """Returns the lowest score that keeps false positives at or below a rate per scan."""
        allowed = int(false_positives_per_scan * self.scans)
        ranked = np.sort(self.false_scores)[::-1]
        return float(np.nextafter(ranked[allowed], 1)) if allowed < len(ranked) else 0.0

    def sensitivity(self, false_positives_per_scan: float) -> float:
        """Returns the fraction of nodules that are found at a rate of false positives per scan."""
        threshold = max(self.threshold(false_positives_per_scan), 1e-9)
        return float(np.mean(self.hit_scores >= threshold))

    def sensitivities(self) -> str:
        """Returns the sensitivity at each of `REPORTED_RATES`, for a model card."""
        return ", ".join(f"{self.sensitivity(rate):.2f} at {rate:g}" for rate in REPORTED_RATES)


def validate_detector(
    detector: Detector,
    cases: Sequence[PreparedCase],
    crops: Sequence[NoduleCrop],
    *,
    rounds: int,
    seed: int,
) -> DetectorValidation:
    """Runs a detector on the validation set of `collect_candidates`.

    Args:
        detector: Detector whose scores are not calibrated yet.
        cases: Validation volumes; their own known nodules count as hits or misses too.
        crops: Nodules of patients that were not trained on, to insert.
        rounds: Number of times each volume is filled with other nodules.
        seed: Seed of the places and of the choice of nodules.

    Returns:
        The scores of hits and false positives.

    Raises:
        UsageError: The volumes hold no nodule, and none could be inserted.
    """

    def detect(volume: WorkingVolume) -> tuple[list[Candidate], NDArray[np.float64]]:
        candidates = detector.detect(volume)
        return candidates, np.array([candidate.score for candidate in candidates]).reshape(-1, 1)

    candidates = collect_candidates(detect, cases, crops, rounds=rounds, seed=seed)
    return score_candidates(candidates, lambda scores: scores[:, 0])


def score_candidates(
    candidates: InsertionCandidates, score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> DetectorValidation:
    """Turns the ratings of candidates into scores.

    Args:
        candidates: Candidates on the validation set with their ratings.
        score: Maps ratings ``[candidates, ratings]`` to scores ``[candidates]``, 0 to 1.

    Returns:
        The scores of hits and false positives.
    """
    return DetectorValidation(
        np.array([score(ratings).max(initial=0.0) for ratings in candidates.on_nodules]),
        candidates.diameters_mm,
        score(candidates.false_positives),
        candidates.scans,
    )


def calibrate(validation: DetectorValidation) -> Calibration:
    """Fits score = logistic(slope x logit + intercept).

    The validation set holds many nodules per scan; they are weighted so that a score is the
    probability that a prediction is a nodule in scans with `EXPECTED_NODULES_PER_SCAN`.

    Args:
        validation: Uncalibrated scores of hits and false positives.

    Returns:
        The calibration; one that changes no score where there is no hit or no false positive.
    """
    hits = validation.hit_scores[validation.hit_scores > 0]
    if not len(hits) or not len(validation.false_scores):
        return Calibration()
    scores = np.concatenate((hits, validation.false_scores))
    logits = special.logit(np.clip(scores, 1e-6, 1 - 1e-6))
    (slope,), intercept = fit_candidates(logits[:, None], len(hits), validation.scans)
    return Calibration(slope=slope, intercept=intercept)


def fit_candidates(logits: NDArray[np.float64], hits: int, scans: int) -> tuple[list[float], float]:
    """Fits slopes and intercept for the prevalence `EXPECTED_NODULES_PER_SCAN`.

    Args:
        logits: ``[candidates, models]``, one row for each hit, followed by the false positives.
        hits: Number of hits, at least 1.
        scans: Number of scans that the false positives come from.

    Returns:
        The slope of each model, and the intercept.
    """
    return fit_weighted_platt(
        logits,
        np.arange(len(logits)) < hits,
        positive_weight=scans * EXPECTED_NODULES_PER_SCAN / hits,
    )


def operating_points(validation: DetectorValidation, calibration: Calibration) -> OperatingPoints:
    """Sets a threshold for each rate of `FALSE_POSITIVES_PER_SCAN`.

    Args:
        validation: Uncalibrated scores of hits and false positives.
        calibration: Calibration of the manifest, applied to the thresholds.

    Returns:
        Thresholds of calibrated scores, rounded to four decimals.
    """
    points = {}
    for name, rate in FALSE_POSITIVES_PER_SCAN.items():
        raw = np.clip(validation.threshold(rate), 1e-6, 1 - 1e-6)
        margin = calibration.slope * special.logit(raw) + calibration.intercept
        points[name] = round(float(special.expit(margin)), 4)
    return OperatingPoints(**points)
