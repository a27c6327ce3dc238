"""Calibration: from the outputs of a network to probabilities.

Platt, "Probabilistic outputs for support vector machines", 1999, for two outcomes; vector scaling
of Guo et al., "On calibration of modern neural networks", ICML 2017, for several classes. The
parameters are fitted on held-out data in `models.training` and stored in a model's manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.store.manifest import Calibration

Floats = TypeVar("Floats", bound="NDArray[np.floating]")


def clipped_logit(scores: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    """Computes log(score / (1 - score)), which stays finite for scores of 0 and 1.

    Args:
        scores: Probabilities of any shape, 0 to 1.
        margin: Scores nearer to 0 or 1 than this are moved to this distance.

    Returns:
        The logits, of the same shape.
    """
    logits: NDArray[np.float64] = special.logit(np.clip(scores, margin, 1 - margin))
    return logits


def logistic_score(logits: Floats, calibration: Calibration) -> Floats:
    """Calibrates logits by Platt scaling: logistic(slope x logit + intercept).

    Args:
        logits: Outputs of a detector or rater before calibration, of any shape.
        calibration: Slope and intercept from the model's manifest.

    Returns:
        Probabilities of the same shape and type.
    """
    scores: Floats = special.expit(calibration.slope * logits + calibration.intercept)
    return scores


def joint_scores(logits: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Combines detector and reducer by logistic regression on the logits of both.

    Args:
        logits: ``[candidates, 2]``, of the detector's calibrated score and of the reducer.
        calibration: Both slopes and the intercept from the reducer's manifest.

    Returns:
        Probabilities ``[candidates]``.
    """
    slopes = np.array((calibration.detector_slope, calibration.slope))
    scores: NDArray[np.float64] = special.expit(logits @ slopes + calibration.intercept)
    return scores


def class_probabilities(
    scaled_logits: NDArray[np.floating], calibration: Calibration
) -> NDArray[np.float64]:
    """Calibrates class logits by vector scaling: softmax(slope x logits + class_intercepts).

    Args:
        scaled_logits: ``[n, classes]``, already multiplied by the slope: a classifier multiplies
            its activation maps, whose sums the logits are.
        calibration: One intercept per class from the classifier's manifest.

    Returns:
        Probabilities ``[n, classes]``, whose rows sum to 1.
    """
    probabilities: NDArray[np.float64] = special.softmax(
        scaled_logits + np.array(calibration.class_intercepts), axis=1
    )
    return probabilities
