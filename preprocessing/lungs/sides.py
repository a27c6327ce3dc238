"""Labels right and left lung, separated by a surface through the mediastinum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from numpy.typing import NDArray

BAND_FRACTION = 0.22
"""The surface stays within this fraction of the lungs' width on either side of their middle."""

AIR_COST, STRAY_COST = 30.0, 0.5
"""Cost of passing through a voxel of aerated lung, and of straying from the middle by half the
band; a step through soft tissue costs nothing more."""

LONE_FRACTION = 0.1
"""With a smaller fraction of the air on one side of the middle there may be only one lung."""

JOINED_FACES = 0.5
"""Voxel faces in which the two sides meet, over the smaller side's voxels to the power 2/3.

Two lungs that touch along a thin line stay below 0.2; a sphere cut in two has 1.9. Above the limit
the surface passes through a lung that crosses the midline, or there is only one lung."""


def split_sides(
    hu: NDArray[np.int16], lungs: NDArray[np.bool_], *, patient_middle: float
) -> NDArray[np.uint8]:
    """Labels the aerated lung `RIGHT_LUNG` and `LEFT_LUNG` on an upright grid.

    In each axial plane the path of least air is found from front to back (dynamic programming,
    after Hu, Hoffman and Reinhardt 2001), so that lungs that touch in front of the heart or behind
    the oesophagus are separated along the thin line between them.

    Args:
        hu: Coarse upright grid, ``[z, y, x]``, x to the patient's left.
        lungs: The aerated lung of both sides, same shape.
        patient_middle: Column of the patient's middle, fractional.

    Returns:
        uint8, same shape: 0 outside the lungs.
    """
    labels = np.zeros(lungs.shape, dtype=np.uint8)
    per_column = lungs.sum(axis=(0, 1))
    columns = np.flatnonzero(per_column)
    half = max(2.0, BAND_FRACTION * (columns[-1] - columns[0] + 1))
    right_fraction = per_column[: max(0, round(patient_middle))].sum() / per_column.sum()
    # An array without a true position, such as one with the origin 0, has both lungs on one side
    # of the middle that its header claims. They are split if they are apart.
    beside = not columns[0] < patient_middle < columns[-1]
    middle = patient_middle
    if beside or LONE_FRACTION < right_fraction < 1 - LONE_FRACTION:
        middle = (columns[0] + columns[-1]) / 2
    first = max(0, int(middle - half))
    band = slice(first, int(middle + half) + 1)
    border = first + _paths_of_least_air(hu[:, :, band], lungs[:, :, band], middle - first, half)
    is_right = np.arange(lungs.shape[2]) < border[..., None]
    right, left = lungs & is_right, lungs & ~is_right
    faces = np.count_nonzero(right[:, :, :-1] & left[:, :, 1:])
    smaller = min(np.count_nonzero(right), np.count_nonzero(left))
    lone = beside and smaller < LONE_FRACTION * np.count_nonzero(lungs)
    if lone or faces > JOINED_FACES * smaller ** (2 / 3):
        labels[lungs] = RIGHT_LUNG if right_fraction > 0.5 else LEFT_LUNG
        return labels
    labels[right] = RIGHT_LUNG
    labels[left] = LEFT_LUNG
    return labels


def _paths_of_least_air(
    hu: NDArray[np.int16], lungs: NDArray[np.bool_], middle: float, half: float
) -> NDArray[np.intp]:
    """The first column of the left side, for every plane and row, ``[z, y]``."""
    airiness = np.where(lungs, np.clip(-hu / 1000.0, 0.05, 1), 0).astype(np.float32)
    airiness[1:-1] = (airiness[:-2] + 2 * airiness[1:-1] + airiness[2:]) / 4
    size_z, size_y, size_x = hu.shape
    stray = np.abs(np.arange(size_x) - middle) / half
    cost = (AIR_COST * airiness**2 + STRAY_COST * stray).astype(np.float32)
    came_from = np.empty(hu.shape, dtype=np.int8)
    total = cost[:, 0]
    far = np.full((size_z, 1), np.inf, dtype=np.float32)
    for y in range(size_y):
        steps = np.stack(
            [np.hstack([far, total[:, :-1]]), total - 0.01, np.hstack([total[:, 1:], far])]
        )
        came_from[:, y] = steps.argmin(axis=0) - 1
        total = steps.min(axis=0) + cost[:, y]
    path = np.empty((size_z, size_y), dtype=np.intp)
    planes = np.arange(size_z)
    path[:, -1] = total.argmin(axis=1)
    for y in range(size_y - 1, 0, -1):
        path[:, y - 1] = path[:, y] + came_from[planes, y, path[:, y]]
    return path
