from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from hounsfield.models.store.manifest import Calibration
from hounsfield.models.training.detector.calibration import (
    DetectorValidation,
    calibrate,
    operating_points,
)

VALIDATION = DetectorValidation(
    hit_scores=np.array([0.95, 0.7, 0.3, 0.0]),
    diameters_mm=np.full(4, 8.0),
    false_scores=np.linspace(0.1, 0.9, 40),
    scans=10,
)


def test_a_threshold_keeps_false_positives_at_the_allowed_rate():
    assert np.sum(VALIDATION.false_scores >= VALIDATION.threshold(1.0)) == 10
    assert np.sum(VALIDATION.false_scores >= VALIDATION.threshold(0.25)) == 2
    assert VALIDATION.threshold(4.0) == 0.0


def test_operating_points_are_calibrated_thresholds():
    assert VALIDATION.sensitivity(1.0) == 0.5
    points = operating_points(VALIDATION, Calibration())
    assert points.strict > points.default == pytest.approx(VALIDATION.threshold(1.0), abs=1e-4)
    shifted = operating_points(VALIDATION, Calibration(intercept=-2.0))
    assert shifted.default < points.default


def test_calibrated_scores_are_probabilities_at_the_expected_prevalence():
    rng = np.random.default_rng(0)
    validation = DetectorValidation(
        hit_scores=special.expit(rng.normal(2, 1, 2000)),
        diameters_mm=np.full(2000, 8.0),
        false_scores=special.expit(rng.normal(0, 1, 2000)),
        scans=1000,
    )
    # One nodule and two false positives per scan: the log odds are 2 x logit - 2 + log(1 / 2).
    calibration = calibrate(validation)
    assert calibration.slope == pytest.approx(2.0, abs=0.15)
    assert calibration.intercept == pytest.approx(-2 + np.log(0.5), abs=0.15)


def test_without_a_hit_or_a_false_positive_nothing_is_calibrated():
    missed = replace(VALIDATION, hit_scores=np.zeros(4))
    assert calibrate(missed) == calibrate(replace(VALIDATION, false_scores=np.zeros(0)))
    assert calibrate(missed) == Calibration()
