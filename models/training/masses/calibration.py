"""Validates and calibrates a mass detector on synthetic cases: probabilities, operating points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.calibration import logistic_score
from hounsfield.models.inference.mass_detector import (
    connected_parts,
    network_logits,
    part_logit,
)
from hounsfield.models.store.manifest import Calibration, OperatingPoints
from hounsfield.models.training.engine.calibration_fit import fit_weighted_platt
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS
from hounsfield.models.training.masses.synthesis.cases import make_case
from hounsfield.models.views.masses import mass_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.training.masses.chests import Chest
    from hounsfield.models.training.masses.synthesis.cases import MassCase

MIN_HIT_FRACTION = 0.5
"""A part is a hit where at least this fraction of it is mass, ignored voxels left out."""

MAX_FALSE_FRACTION, MAX_IGNORED_FRACTION = 0.2, 0.3
"""A part is a false positive where less than the first is mass and at most the second is ignored;
other parts count neither way."""

MIN_MASS_MM = 30.0
"""Diameter of a mass by the definition of the Fleischner Society."""

EXPECTED_MASSES_PER_SCAN = 1.0
"""Prevalence for which scores are calibrated."""

FALSE_POSITIVES_PER_CASE = {"screening": 0.3, "default": 0.1, "strict": 0.02}
"""Rate of false positives on synthetic cases that each operating point allows."""

MIN_SCORES = {"screening": 0.1, "default": 0.5, "strict": 0.8}
"""No operating point is lower: synthetic cases say little about false positives in real chests."""

SCORE_MARGIN = 1e-4
"""A threshold lies this much above the score of the first false positive that it excludes."""


@dataclass(frozen=True, slots=True, eq=False)
class MassValidation:
    """Logits of the parts that a network segments in synthetic cases.

    Attributes:
        hit_logits: Logits of the parts that are masses.
        false_logits: Logits of the parts that are false positives.
        best_logits: For each mass of at least `MIN_MASS_MM` the best logit of a part at its centre;
            minus infinity where there is none.
        cases: Number of cases.
    """

    hit_logits: NDArray[np.float64]
    false_logits: NDArray[np.float64]
    best_logits: NDArray[np.float64]
    cases: int


def validate_masses(
    network: Network, chests: Sequence[Chest], *, cases: int, seed: int
) -> MassValidation:
    """Makes cases from the chests in turn and compares each segmented part with the truth.

    Args:
        network: A `MassNet` in any runtime.
        chests: Chests of the validation, at least one.
        cases: Number of cases to make.
        seed: Seed of all random choices; not that of the training.

    Returns:
        The logits of hits, false positives and masses.
    """
    hits: list[float] = []
    false: list[float] = []
    best: list[float] = []
    for index in range(cases):
        case = make_case(chests[index % len(chests)], np.random.default_rng((seed, index)))
        view = mass_view(case.lungs)
        logits = network_logits(network, view)
        labels = case.labels[view.box]
        parts = [(part, part_logit(logits, part)) for part in connected_parts(logits, view)]
        for part, logit in parts:
            counted = labels[part][labels[part] != IGNORED]
            fraction = float((counted == MASS).mean()) if counted.size else 0.0
            if fraction >= MIN_HIT_FRACTION:
                hits.append(logit)
            elif (
                fraction < MAX_FALSE_FRACTION
                and counted.size >= (1 - MAX_IGNORED_FRACTION) * part.sum()
            ):
                false.append(logit)
        best += _best_logits(case, parts, [part.start for part in view.box])
    return MassValidation(np.array(hits), np.array(false), np.array(best), cases)


def _best_logits(
    case: MassCase, parts: Sequence[tuple[NDArray[np.bool_], float]], first_zyx: Sequence[int]
) -> list[float]:
    """For each mass of at least `MIN_MASS_MM` the best logit of a part at its centre."""
    best = []
    for mass in case.masses:
        if mass.diameter_mm < MIN_MASS_MM:
            continue
        centre = np.rint(np.subtract(mass.centre_zyx, first_zyx)).astype(int)
        near = tuple(slice(max(0, c - 1), c + 2) for c in centre)
        logits = [logit for part, logit in parts if part[near].any()]
        best.append(max(logits, default=-np.inf))
    return best


def calibrate_masses(validation: MassValidation) -> tuple[Calibration, OperatingPoints]:
    """Fits score = logistic(slope x logit + intercept), and sets the operating points.

    Args:
        validation: Logits of hits and false positives.

    Returns:
        The calibration, which changes no score where there is no hit or no false positive; and
        thresholds that respect both `FALSE_POSITIVES_PER_CASE` and `MIN_SCORES`.
    """
    hits = len(validation.hit_logits)
    logits = np.concatenate([validation.hit_logits, validation.false_logits])
    calibration = Calibration()
    if 0 < hits < len(logits):
        (slope,), intercept = fit_weighted_platt(
            logits[:, None],
            np.arange(len(logits)) < hits,
            positive_weight=validation.cases * EXPECTED_MASSES_PER_SCAN / hits,
        )
        calibration = Calibration(slope=slope, intercept=intercept)
    ranked = np.sort(validation.false_logits)[::-1]
    points = {}
    for name, rate in FALSE_POSITIVES_PER_CASE.items():
        allowed = int(rate * validation.cases)
        excluded = ranked[allowed : allowed + 1] if allowed < len(ranked) else np.array([-np.inf])
        score = float(logistic_score(excluded, calibration)[0]) + SCORE_MARGIN
        points[name] = round(max(score, MIN_SCORES[name]), 4)
    return calibration, OperatingPoints(**points)
