import numpy as np
import pytest

from hounsfield.models.store.manifest import Calibration
from hounsfield.models.training.detector.calibration import DetectorValidation, operating_points

TRIAL = DetectorValidation(
    hit_scores=np.array([0.95, 0.7, 0.3, 0.0]),
    diameters_mm=np.full(4, 8.0),
    false_scores=np.linspace(0.1, 0.9, 40),
    scans=10,
)


def test_a_threshold_lets_so_many_false_marks_a_scan_through():
    assert np.sum(TRIAL.false_scores >= TRIAL.threshold(1.0)) == 10
    assert np.sum(TRIAL.false_scores >= TRIAL.threshold(0.25)) == 2
    assert TRIAL.threshold(4.0) == 0.0


def test_operating_points_are_thresholds_after_calibration():
    assert TRIAL.sensitivity(1.0) == 0.5
    points = operating_points(TRIAL, Calibration())
    assert points.strict > points.default == pytest.approx(TRIAL.threshold(1.0), abs=1e-4)
    shifted = operating_points(TRIAL, Calibration(intercept=-2.0))
    assert shifted.default < points.default
