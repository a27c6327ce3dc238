"""Calibration against the formulas, computed in plain Python."""

import math

import numpy as np
import pytest

from hounsfield.models.calibration import (
    class_probabilities,
    clipped_logit,
    joint_scores,
    logistic_score,
)
from hounsfield.models.store.manifest import Calibration


def logistic(x):
    return 1 / (1 + math.exp(-x))


def test_a_logit_is_the_logarithm_of_the_odds():
    assert clipped_logit(np.array([0.5, 0.8]), 1e-6) == pytest.approx([0.0, math.log(4)])


def test_logits_of_scores_of_0_and_1_are_those_of_the_margin():
    margin = 1e-6
    expected = math.log(margin / (1 - margin))
    assert clipped_logit(np.array([0.0, 1.0]), margin) == pytest.approx([expected, -expected])


def test_platt_scaling_is_the_logistic_function_of_a_line():
    calibration = Calibration(slope=2.0, intercept=-1.0)
    scores = logistic_score(np.array([-1.0, 0.5, 3.0]), calibration)
    assert scores == pytest.approx([logistic(-3), logistic(0), logistic(5)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_platt_scaling_keeps_the_type_of_the_logits(dtype):
    assert logistic_score(np.zeros(2, dtype), Calibration(slope=2.5, intercept=1.5)).dtype == dtype


def test_joint_scores_weight_the_logits_of_detector_and_reducer():
    calibration = Calibration(slope=0.7, detector_slope=0.4, intercept=-1.0)
    logits = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    expected = [logistic(-1.0), logistic(-0.6), logistic(-0.3), logistic(0.1)]
    assert joint_scores(logits, calibration) == pytest.approx(expected)


def test_vector_scaling_adds_an_intercept_per_class_before_the_softmax():
    calibration = Calibration(slope=9.0, class_intercepts=(math.log(2), 0.0, 0.0, 0.0))
    (row,) = class_probabilities(np.zeros((1, 4), np.float32), calibration)
    assert row == pytest.approx([0.4, 0.2, 0.2, 0.2])


def test_class_probabilities_sum_to_1():
    logits = np.random.default_rng(0).normal(0, 5, (20, 4))
    assert class_probabilities(logits, Calibration()).sum(axis=1) == pytest.approx(np.ones(20))
