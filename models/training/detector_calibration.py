"""From heat-map peaks to probabilities and operating points, on held-out nodules."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

from models.manifest import Calibration, OperatingPoints
from models.training.insertion import insert_nodules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data.nodule_crops import NoduleCrop
    from data.prepared import KnownFinding, PreparedCase
    from models.contracts import Candidate, Detector

log = logging.getLogger(__name__)

NODULES_A_SCAN = 12
NODULES_EXPECTED_A_SCAN = 1.0
FALSE_POSITIVES_A_SCAN = {"screening": 4.0, "default": 1.0, "strict": 0.25}


@dataclass(frozen=True, slots=True, eq=False)
class DetectorTrial:
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


def run_trial(
    detector: Detector,
    cases: Sequence[PreparedCase],
    crops: Sequence[NoduleCrop],
    *,
    rounds: int,
    seed: int,
) -> DetectorTrial:
    """Runs a detector on untouched volumes, and on the same with nodules inserted.

    Args:
        detector: What is tried; its calibration should be plain.
        cases: Their own known nodules count as hits or misses too.
        crops: Nodules of patients that were not trained on.
        rounds: How often each volume is filled with other nodules.
        seed: Of places and choices.
    """
    rng = np.random.default_rng(seed)
    hits: list[float] = []
    diameters: list[float] = []
    false: list[float] = []
    for case in cases:
        marks = detector.detect(case.volume)
        false += [mark.score for mark in marks if not _on_any(mark, case.findings)]
        own = [finding for finding in case.findings if not finding.ignored]
        hits += [_best_score(marks, finding) for finding in own]
        diameters += [finding.diameter_mm for finding in own]
        for _ in range(rounds):
            chosen = rng.choice(len(crops), min(NODULES_A_SCAN, len(crops)), replace=False)
            volume, inserted = insert_nodules(case, [crops[int(i)] for i in chosen], rng)
            marks = detector.detect(volume)
            hits += [_best_score(marks, finding) for finding in inserted]
            diameters += [finding.diameter_mm for finding in inserted]
        log.info(
            "tried %s: %d nodules, %d false marks so far", case.patient_id, len(hits), len(false)
        )
    return DetectorTrial(np.array(hits), np.array(diameters), np.array(false), len(cases))


def calibrate(trial: DetectorTrial) -> Calibration:
    """Fits score = logistic(slope x logit + intercept) by maximum likelihood (Platt, 1999).

    The trial holds many nodules a scan; they are weighted so that a score is the probability
    that a mark is a nodule in scans with `NODULES_EXPECTED_A_SCAN`.
    """
    found = trial.hit_scores[trial.hit_scores > 0]
    logits = special.logit(np.clip(np.concatenate((found, trial.false_scores)), 1e-6, 1 - 1e-6))
    true = np.concatenate((np.ones(len(found)), np.zeros(len(trial.false_scores))))
    weight = np.where(true == 1, trial.scans * NODULES_EXPECTED_A_SCAN / max(len(found), 1), 1.0)

    def unlikelihood(parameters: NDArray[np.float64]) -> float:
        margin = parameters[0] * logits + parameters[1]
        return float(np.mean(weight * (np.logaddexp(0.0, margin) - true * margin)))

    best = optimize.minimize(unlikelihood, np.array([1.0, 0.0]))
    return Calibration(slope=round(float(best.x[0]), 4), intercept=round(float(best.x[1]), 4))


def operating_points(trial: DetectorTrial, calibration: Calibration) -> OperatingPoints:
    """Calibrated thresholds for each rate of `FALSE_POSITIVES_A_SCAN`."""
    points = {}
    for name, rate in FALSE_POSITIVES_A_SCAN.items():
        raw = np.clip(trial.threshold(rate), 1e-6, 1 - 1e-6)
        margin = calibration.slope * special.logit(raw) + calibration.intercept
        points[name] = round(float(special.expit(margin)), 4)
    return OperatingPoints(**points)


def _on_any(mark: Candidate, findings: Sequence[KnownFinding]) -> bool:
    return any(_on(mark, finding) for finding in findings)


def _on(mark: Candidate, finding: KnownFinding) -> bool:
    off = np.linalg.norm(np.subtract(mark.centre_world_mm, finding.centre_world_mm))
    return bool(off < finding.diameter_mm / 2)


def _best_score(marks: Sequence[Candidate], finding: KnownFinding) -> float:
    return max((mark.score for mark in marks if _on(mark, finding)), default=0.0)
