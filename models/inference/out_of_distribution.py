"""Out-of-distribution test of a classifier's views, by the Mahalanobis distance.

The probabilities of a network may be extreme on any input. The test therefore uses statistics that
do not depend on the network: brightness of a view and its histogram, roughness, and contrast
between middle and rim. Lee et al., NeurIPS 2018, use the same distance over a network's features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.store.manifest import TrainingDistribution

if TYPE_CHECKING:
    from numpy.typing import NDArray

BRIGHTNESS_EDGES = (-np.inf, 0.08, 0.2, 0.4, 0.6, 0.72, 0.82, np.inf)
"""Bins of a view's histogram, 0 to 1: air, lung, vessels and ground glass, tissue, bone."""

IN_DISTRIBUTION_QUANTILE = 0.99
"""Fraction of held-out views from the training distribution that pass the test."""

RIDGE = 1e-3
"""Added to the diagonal of the correlation matrix, so that correlated statistics do no harm."""


def view_features(views: NDArray[np.float32]) -> NDArray[np.float64]:
    """Computes the statistics of views.

    Args:
        views: ``[n, views, z, y, x]``, HU scaled to 0 to 1.

    Returns:
        ``[n, features]``, the statistics of all views of a place in one row.
    """
    return np.array(
        [np.concatenate([_statistics(view) for view in views_of_place]) for views_of_place in views]
    )


def mahalanobis_distances(
    views: NDArray[np.float32], distribution: TrainingDistribution
) -> NDArray[np.float64]:
    """Computes how far views lie from the training distribution.

    Args:
        views: ``[n, views, z, y, x]``, HU scaled to 0 to 1.
        distribution: Statistics of the training views, from a classifier's manifest.

    Returns:
        ``[n]``; a distance above `distribution.max_distance` is out of distribution.
    """
    return _distances(view_features(views), distribution)


def fit_training_distribution(
    training: NDArray[np.float64], held_out: NDArray[np.float64]
) -> TrainingDistribution:
    """Fits the distribution of a classifier's training views.

    Args:
        training: Statistics of views that the network was trained on, ``[n, features]``.
        held_out: Statistics of other views with the same distribution, ``[n, features]``; the
            largest distance allowed is their `IN_DISTRIBUTION_QUANTILE`.

    Returns:
        The distribution, rounded as a manifest stores it.
    """
    mean, standard_deviation = training.mean(axis=0), training.std(axis=0) + 1e-6
    correlations = np.cov((training - mean) / standard_deviation, rowvar=False)
    precision = np.linalg.inv(correlations + RIDGE * np.eye(len(mean)))
    distribution = TrainingDistribution(
        mean=tuple(mean.round(6).tolist()),
        standard_deviation=tuple(standard_deviation.round(6).tolist()),
        precision=tuple(tuple(row) for row in precision.round(4).tolist()),
        max_distance=0.0,
    )
    max_distance = float(np.quantile(_distances(held_out, distribution), IN_DISTRIBUTION_QUANTILE))
    return distribution.model_copy(update={"max_distance": round(max_distance, 4)})


def _distances(
    features: NDArray[np.float64], distribution: TrainingDistribution
) -> NDArray[np.float64]:
    scaled = (features - np.array(distribution.mean)) / np.array(distribution.standard_deviation)
    squared = np.einsum("ni,ij,nj->n", scaled, np.array(distribution.precision), scaled)
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0.0))
    return distances


def _statistics(view: NDArray[np.float32]) -> NDArray[np.float64]:
    histogram = np.histogram(view, BRIGHTNESS_EDGES)[0] / view.size
    first_differences = [np.abs(np.diff(view, axis=axis)).mean() for axis in range(3)]
    second_differences = [np.abs(np.diff(view, 2, axis=axis)).mean() for axis in range(3)]
    size = view.shape[0]
    inner = view[(slice(size // 4, size - size // 4),) * 3]
    core = view[(slice(size // 2 - 3, size // 2 + 3),) * 3]
    brightness = (view.mean(), view.std(), inner.mean(), core.mean(), core.std())
    # Roughness and histogram span orders of magnitude: their logarithms are closer to normal.
    spread = np.concatenate((histogram, first_differences, second_differences))
    return np.concatenate((brightness, np.log(spread + 1e-3)))
