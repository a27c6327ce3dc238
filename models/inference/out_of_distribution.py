"""Whether a view is like those that a classifier was trained on: how far its plain statistics are.

A network is sure of itself on any input. What is compared here knows nothing of the network: how
bright a view is, how that is shared out, how rough it is, and how its middle differs from its rim.
The distance is that of Mahalanobis; Lee et al., NeurIPS 2018, take it over a network's features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.store.manifest import Familiarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

BRIGHTNESS_EDGES = (-np.inf, 0.08, 0.2, 0.4, 0.6, 0.72, 0.82, np.inf)
"""Of a view from 0 to 1: air, lung, vessels and ground glass, tissue, contrast and bone."""

KNOWN_SHARE = 0.99
"""Part of held-out views of the training's own making that are called familiar."""

RIDGE = 1e-3
"""Added to the diagonal of the correlations, so that features that hang together do no harm."""


def view_features(views: NDArray[np.float32]) -> NDArray[np.float64]:
    """Plain statistics of views.

    Args:
        views: ``[n, views, z, y, x]``, 0 to 1.

    Returns:
        ``[n, features]``.
    """
    return np.array([np.concatenate([_statistics(one) for one in each]) for each in views])


def strangeness(views: NDArray[np.float32], familiarity: Familiarity) -> NDArray[np.float64]:
    """Mahalanobis distances of views from the training's; above `familiarity.limit` is strange."""
    return _distances(view_features(views), familiarity)


def fit_familiarity(training: NDArray[np.float64], held_out: NDArray[np.float64]) -> Familiarity:
    """Learns what is familiar.

    Args:
        training: Features of views that a network was trained on, ``[n, features]``.
        held_out: Of others of the same making; they set the limit.
    """
    mean, scale = training.mean(axis=0), training.std(axis=0) + 1e-6
    correlations = np.cov((training - mean) / scale, rowvar=False)
    precision = np.linalg.inv(correlations + RIDGE * np.eye(len(mean)))
    found = Familiarity(
        mean=tuple(mean.round(6).tolist()),
        scale=tuple(scale.round(6).tolist()),
        precision=tuple(tuple(row) for row in precision.round(4).tolist()),
        limit=0.0,
    )
    limit = float(np.quantile(_distances(held_out, found), KNOWN_SHARE))
    return found.model_copy(update={"limit": round(limit, 4)})


def _distances(features: NDArray[np.float64], familiarity: Familiarity) -> NDArray[np.float64]:
    away = (features - np.array(familiarity.mean)) / np.array(familiarity.scale)
    squared = np.einsum("ni,ij,nj->n", away, np.array(familiarity.precision), away)
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0.0))
    return distances


def _statistics(view: NDArray[np.float32]) -> NDArray[np.float64]:
    shares = np.histogram(view, BRIGHTNESS_EDGES)[0] / view.size
    steps = [np.abs(np.diff(view, axis=axis)).mean() for axis in range(3)]
    jumps = [np.abs(np.diff(view, 2, axis=axis)).mean() for axis in range(3)]
    size = view.shape[0]
    inner = view[(slice(size // 4, size - size // 4),) * 3]
    core = view[(slice(size // 2 - 3, size // 2 + 3),) * 3]
    plain = (view.mean(), view.std(), inner.mean(), core.mean(), core.std())
    # Roughness and shares span magnitudes: in logarithms they are more like a bell.
    return np.concatenate((plain, np.log(np.concatenate((shares, steps, jumps)) + 1e-3)))
