"""Where groups of slices lie along the table: beside one another, or over one another."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.extent import MIN_SLICES
from hounsfield.preprocessing.geometry.depth_grid import SPACING_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_OF_RANGE: Final = 0.4
"""Part of the scanned length that a scan of its own covers."""

MIN_STEPS: Final = 3
"""A table that moves between shots makes at least so many; two groups of slices are two scans."""


def ranges_overlap(depths: NDArray[np.float64], others: NDArray[np.float64]) -> bool:
    """Returns whether two groups of slices cover the same part of the patient.

    Args:
        depths: Positions along the normal in mm, in any order.
        others: Positions of the slices of the other group in mm.
    """
    return bool(depths.min() < others.max() and others.min() < depths.max())


def is_most_of(depths: NDArray[np.float64], every: NDArray[np.float64]) -> bool:
    """Returns whether some of many slices may be a scan of their own.

    Args:
        depths: Positions of the slices along the normal in mm, in any order.
        every: Positions of all slices, these among them.
    """
    enough = len(depths) >= MIN_SLICES
    return enough and float(np.ptp(depths)) >= MOST_OF_RANGE * float(np.ptp(every))


def is_step_and_shoot(groups: Sequence[NDArray[np.float64]]) -> bool:
    """Returns whether groups of slices are the shots of one scan between which the table moved.

    The scanner may count each shot as an acquisition. Shots follow one another along the table
    without overlap, in the order in which they were made. Each is a few slices; where the detector
    is wide and a shot has many, together they lie on one even grid.

    Two groups that are too few slices for a scan together are shots too.

    Args:
        groups: Positions along the normal in mm, sorted, of each group; the groups in the order
            of their numbers or times.
    """
    slices = sum(map(len, groups))
    if len(groups) < MIN_STEPS and slices >= MIN_SLICES:
        return False
    order = np.sign([after[0] - before[0] for before, after in pairwise(groups)])
    if abs(int(order.sum())) != len(order):
        return all(len(group) == 1 for group in groups)
    along = groups if order[0] > 0 else list(reversed(groups))
    if any(before[-1] >= after[0] for before, after in pairwise(along)):
        return False
    if all(len(group) < MIN_SLICES for group in groups):
        return True
    gaps = np.diff(np.concatenate(along))
    return bool(np.ptp(gaps) <= 2 * SPACING_TOLERANCE * float(np.median(gaps)))
