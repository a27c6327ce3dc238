import numpy as np
import pytest
import torch
from torch.nn import functional

from hounsfield.models.training.engine.calibration_fit import (
    MIN_SLOPE,
    fit_ridge_platt,
    fit_vector_scaling,
    fit_weighted_platt,
)


def calibrated_logits(count, seed=0):
    """Logits, and outcomes that are as probable as the logits say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    return logits, rng.random(count) < 1 / (1 + np.exp(-logits))


def test_overconfident_logits_are_scaled_back():
    logits, is_positive = calibrated_logits(4000)
    slope, intercept = fit_ridge_platt(3 * logits + 2, is_positive, ridge=0.01)
    assert np.abs(slope * (3 * logits + 2) + intercept - logits).mean() < 0.25


def test_a_ridge_holds_the_slope_of_separable_samples_near_one():
    logits = np.array([-2.0, -1.0, 1.0, 2.0])
    slope, intercept = fit_ridge_platt(logits, logits > 0, ridge=0.1)
    assert 1 < slope < 3
    assert intercept == pytest.approx(0, abs=0.01)


def test_the_weight_of_positive_samples_sets_the_prevalence():
    logits, is_positive = calibrated_logits(4000)
    (slope,), intercept = fit_weighted_platt(logits[:, None], is_positive, positive_weight=1.0)
    assert (slope, intercept) == (pytest.approx(1, abs=0.1), pytest.approx(0, abs=0.1))
    (_,), rarer = fit_weighted_platt(logits[:, None], is_positive, positive_weight=0.1)
    assert rarer == pytest.approx(np.log(0.1), abs=0.2)


def test_a_model_that_ranks_the_wrong_way_keeps_a_positive_slope():
    logits, is_positive = calibrated_logits(500)
    (slope,), _ = fit_weighted_platt(-logits[:, None], is_positive, positive_weight=1.0)
    assert slope == MIN_SLOPE


def test_vector_scaling_undoes_a_scale_and_class_offsets():
    generator = torch.Generator().manual_seed(0)
    calibrated = torch.randn(6000, 3, generator=generator) * 2
    truth = torch.multinomial(calibrated.softmax(1), 1, generator=generator)[:, 0]
    offsets = torch.tensor([0.5, -0.5, 0.0])
    slope, intercepts = fit_vector_scaling(
        2 * (calibrated + offsets), lambda scaled: float(functional.cross_entropy(scaled, truth))
    )
    assert slope == pytest.approx(0.5, abs=0.05)
    assert intercepts == pytest.approx((-0.5, 0.5, 0.0), abs=0.15)
