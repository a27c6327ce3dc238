"""Cluster bootstrap: resamples whole groups (scans, patients) and takes confidence intervals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CONFIDENCE = 0.95


def draw_counts(groups: int, *, resamplings: int, seed: int) -> NDArray[np.int32]:
    """Draws as many groups as there are, with replacement, for each resampling.

    Args:
        groups: Number of groups, 1 or more.
        resamplings: Number of independent draws.
        seed: Seed of the draws; equal seeds draw the same groups.

    Returns:
        (resamplings, groups) how often each group was drawn.
    """
    group = np.random.default_rng(seed).integers(groups, size=(resamplings, groups))
    group += np.arange(resamplings)[:, None] * groups
    counts = np.bincount(group.ravel(), minlength=resamplings * groups)
    return counts.reshape(resamplings, groups).astype(np.int32)


def interval(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Takes the 95 % percentile interval along the first axis, as the official LUNA16 script does.

    The interval runs from the sorted value at ``floor(0.025 n)`` to that at ``floor(0.975 n)``,
    without interpolation. Resamplings whose value is undefined (NaN) do not count.

    Args:
        values: (resamplings, k) figures of each resampling.

    Returns:
        (k, 2) lower and upper ends, NaN where no value is defined.
    """
    tail = (1.0 - CONFIDENCE) / 2.0
    ordered = np.sort(values, axis=0)  # NaN sorts to the end
    ends = np.full((values.shape[1], 2), np.nan)
    for column, defined in enumerate(np.count_nonzero(~np.isnan(values), axis=0)):
        if defined:
            # 1e-9: 0.025 is not exact in binary, and (1 - 0.025) * 1000 must be the 975th.
            low = math.floor(tail * defined + 1e-9)
            high = min(math.floor((1.0 - tail) * defined + 1e-9), defined - 1)
            ends[column] = ordered[low, column], ordered[high, column]
    return ends


def intervals_by_name(
    values: NDArray[np.float64], names: Sequence[str]
) -> dict[str, tuple[float | None, float | None]]:
    """Takes the interval of each column, in the form of the JSON documents.

    Args:
        values: (resamplings, k) figures of each resampling.
        names: Name of each of the k columns.

    Returns:
        Lower and upper end by name, None where no value is defined.
    """
    ends = interval(values).tolist()
    return {
        name: (defined_or_none(low), defined_or_none(high))
        for name, (low, high) in zip(names, ends, strict=True)
    }


def defined_or_none(value: float) -> float | None:
    """Converts NaN, which JSON does not have, to None.

    Args:
        value: A figure, NaN where it is undefined.

    Returns:
        The figure, or None for NaN.
    """
    return None if math.isnan(value) else float(value)


def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean of the defined values along the first axis.

    Args:
        values: (resamplings, k) figures of each resampling.

    Returns:
        (k,) means, NaN where no value is defined.
    """
    defined = ~np.isnan(values)
    count = np.count_nonzero(defined, axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    means = np.full(total.shape, np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def two_sided_p(differences: NDArray[np.float64]) -> float:
    """Returns the two-sided p value: twice the fraction of differences on the rarer side of zero.

    One is added to numerator and denominator (Davison and Hinkley, Bootstrap Methods and their
    Application, 1997, section 4.2), so that p is never zero.

    Args:
        differences: (resamplings,) paired differences; NaN does not count.

    Returns:
        The p value, above 0 and at most 1.
    """
    defined = differences[~np.isnan(differences)]
    below, above = np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0)
    return float(min(1.0, 2.0 * (min(below, above) + 1) / (len(defined) + 1)))
