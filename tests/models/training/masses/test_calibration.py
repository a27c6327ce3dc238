import numpy as np
import pytest
from scipy import special

from hounsfield.models.training.masses.calibration import (
    FALSE_POSITIVES_PER_CASE,
    MIN_SCORES,
    MassValidation,
    calibrate_masses,
)


def a_validation(hits, false, cases):
    return MassValidation(np.array(hits), np.array(false), np.array(hits), cases)


def test_separable_masses_score_high_and_false_positives_low():
    rng = np.random.default_rng(1)
    hits, false = rng.normal(6, 1.5, 80), rng.normal(1, 1, 40)
    calibration, _ = calibrate_masses(a_validation(hits, false, 100))
    scores = special.expit(calibration.slope * np.array([6.0, 1.0]) + calibration.intercept)
    assert scores[0] > 0.9
    assert scores[1] < 0.3


def test_thresholds_keep_false_positives_at_their_rates():
    false = np.linspace(1, 6, 100)
    calibration, points = calibrate_masses(a_validation(np.linspace(2, 9, 100), false, 100))
    scores = special.expit(calibration.slope * false + calibration.intercept)
    for name, rate in FALSE_POSITIVES_PER_CASE.items():
        assert np.mean(scores >= getattr(points, name)) <= rate


@pytest.mark.parametrize("name", MIN_SCORES)
def test_without_false_positives_a_threshold_is_at_its_minimum(name):
    _, points = calibrate_masses(a_validation([5.0, 6.0], [], 50))
    assert getattr(points, name) == pytest.approx(MIN_SCORES[name])
