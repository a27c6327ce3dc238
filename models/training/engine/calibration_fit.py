"""Fits calibrations by maximum likelihood: from a network's logits to probabilities.

All three functions minimise a negative log-likelihood with scipy and round to four decimals, as
manifests keep them. They differ in what the few held-out samples of each task need: smoothed
targets and weights for detectors, a ridge for the rater, class intercepts for the classifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import optimize, special

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MIN_SLOPE = 0.05
"""A network that has learnt little may score nodules lower than the rest; the order of its scores
stays its own."""

MAX_ABSOLUTE_LOG_SCALE = 3.0
"""Bound of the logarithm of the slope and of the intercepts of a classifier's calibration."""

DECIMALS = 4


def fit_weighted_platt(
    logits: NDArray[np.float64],
    is_positive: NDArray[np.bool_],
    *,
    positive_weight: float,
) -> tuple[list[float], float]:
    """Fits probability = logistic(logits x slopes + intercept), with Platt's smoothed targets.

    Platt, "Probabilistic outputs for support vector machines", 1999.

    Args:
        logits: ``[samples, models]``, one column for each model that rates a sample.
        is_positive: ``[samples]``; at least one is true and one false.
        positive_weight: Weight of each positive sample; negative ones weigh 1.

    Returns:
        The slope of each model, at least `MIN_SLOPE`, and the intercept.
    """
    positives, models = int(is_positive.sum()), logits.shape[1]
    # A few positives that are separable from the rest must not drive every score to 0 or 1.
    target = np.where(
        is_positive, (positives + 1) / (positives + 2), 1 / (np.sum(~is_positive) + 2)
    )
    weight = np.where(is_positive, positive_weight, 1.0)

    def negative_log_likelihood(parameters: NDArray[np.float64]) -> float:
        margin = logits @ parameters[:-1] + parameters[-1]
        return float(np.mean(weight * (np.logaddexp(0.0, margin) - target * margin)))

    best = optimize.minimize(
        negative_log_likelihood,
        np.array([1.0] * models + [0.0]),
        bounds=[*[(MIN_SLOPE, None)] * models, (None, None)],
    )
    *slopes, intercept = (round(value, DECIMALS) for value in best.x.tolist())
    return slopes, intercept


def fit_ridge_platt(
    logits: NDArray[np.float64], is_positive: NDArray[np.bool_], *, ridge: float
) -> tuple[float, float]:
    """Fits probability = logistic(slope x logit + intercept), held near slope 1 and intercept 0.

    Args:
        logits: ``[samples]``, before the calibration.
        is_positive: ``[samples]``, the ground truth.
        ridge: Weight of the squared distance from slope 1 and intercept 0; without it, the slope
            of separable samples would grow without end.

    Returns:
        Slope and intercept.
    """

    def penalised_loss(line: NDArray[np.float64]) -> float:
        scaled = line[0] * logits + line[1]
        likely = np.where(is_positive, special.log_expit(scaled), special.log_expit(-scaled))
        return float(-likely.mean() + ridge * ((line[0] - 1) ** 2 + line[1] ** 2))

    slope, intercept = optimize.minimize(penalised_loss, np.array([1.0, 0.0])).x.tolist()
    return round(slope, DECIMALS), round(intercept, DECIMALS)


def fit_vector_scaling(
    logits: torch.Tensor, loss: Callable[[torch.Tensor], float]
) -> tuple[float, tuple[float, ...]]:
    """Fits one temperature and an intercept for each class but the last.

    Guo et al., "On calibration of modern neural networks", 2017.

    Args:
        logits: ``[samples, classes]``, before the calibration.
        loss: Maps scaled logits ``[samples, classes]`` to the negative log-likelihood.

    Returns:
        The slope (one over the temperature) and the intercepts, the last of them 0.
    """
    classes = logits.shape[1]

    def scaled_loss(parameters: NDArray[np.float64]) -> float:
        slope, intercepts = float(np.exp(parameters[0])), torch.tensor([*parameters[1:], 0.0])
        return loss(logits * slope + intercepts)

    bounds = [(-MAX_ABSOLUTE_LOG_SCALE, MAX_ABSOLUTE_LOG_SCALE)] * classes
    best = optimize.minimize(scaled_loss, np.zeros(classes), method="Powell", bounds=bounds)
    intercepts = np.round(best.x[1:], DECIMALS).tolist()
    return round(float(np.exp(best.x[0])), DECIMALS), (*intercepts, 0.0)
