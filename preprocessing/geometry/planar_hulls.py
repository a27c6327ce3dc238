"""Convex hulls of a mask, one in each plane across an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIRECTIONS = 48
"""Sides of the polygon around each plane; it exceeds the true hull by at most 0.2 %."""


def planar_hulls(mask: NDArray[np.bool_], *, axis: int = 0) -> NDArray[np.bool_]:
    """Returns the mask with the convex hull of each plane filled.

    The hull is the intersection of the half planes that contain the mask, in evenly spread
    directions: all planes at once, in time proportional to the voxels.

    Args:
        mask: bool, ``[z, y, x]``.
        axis: The axis across the planes: 0 for axial, 1 for coronal, 2 for sagittal ones.
    """
    mask = np.moveaxis(mask, axis, 0)
    _, size_y, size_x = mask.shape
    filled_rows: NDArray[np.bool_] = np.logical_or.reduce(mask, axis=2)
    first_x = mask.argmax(axis=2)
    last_x = size_x - 1 - mask[:, :, ::-1].argmax(axis=2)
    y = np.arange(size_y)[:, None]
    # Directions at half steps, so that none is parallel to a row.
    angles = (np.arange(DIRECTIONS) + 0.5) * 2 * np.pi / DIRECTIONS
    cosine, sine = np.cos(angles), np.sin(angles)
    outermost_x = np.where(cosine > 0, last_x[..., None], first_x[..., None])
    reach = np.where(filled_rows[..., None], outermost_x * cosine + y * sine, -np.inf)
    support = reach.max(axis=1, keepdims=True)
    bound_x = (support - y * sine) / cosine
    upper = bound_x[..., cosine > 0].min(axis=-1)
    lower = bound_x[..., cosine < 0].max(axis=-1)
    x = np.arange(size_x)
    rounding = 1e-6
    inside: NDArray[np.bool_] = (x >= lower[..., None] - rounding) & (
        x <= upper[..., None] + rounding
    )
    return np.moveaxis(inside, 0, axis)
