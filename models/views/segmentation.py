"""What the segmenter looks at: a cube around a candidate, as many diameters wide for each size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.geometry.resampling import interpolation_matrix, resample_separable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VIEW_VOXELS = 32
"""Edge of the cube, in voxels of the view."""

WIDTH_IN_DIAMETERS = 2.6
"""Edge of the cube over the candidate's diameter: one twice as long as wide fits, off centre."""

DRAWN_EDGE, EXACT_EDGE = 0, 1
"""Channels of the network's answer: the nodule as readers outline it, which is wide, and to its
true edge. One answer cannot be both: trained on readers' outlines and exact digital nodules alike,
a single channel made solid digital nodules a quarter too large."""

MIN_WIDTH_MM = 20.0
"""Edge of the cube for the smallest nodules, whose surroundings are needed to tell vessels."""


def view_spacing_mm(diameter_mm: float) -> float:
    """Distance of the view's voxels for a candidate of a diameter."""
    return max(WIDTH_IN_DIAMETERS * diameter_mm, MIN_WIDTH_MM) / VIEW_VOXELS


def view_offsets_mm(diameter_mm: float) -> NDArray[np.float64]:
    """Where the view's voxels lie along each axis, from its centre."""
    steps = np.arange(VIEW_VOXELS, dtype=np.float64) - (VIEW_VOXELS - 1) / 2
    return steps * view_spacing_mm(diameter_mm)


def cut_view(
    hu: NDArray[np.int16],
    spacing_mm: tuple[float, float, float],
    centre_voxel_zyx: Sequence[float],
    diameter_mm: float,
) -> NDArray[np.int16]:
    """Cuts the view around a place, along the axes of the array.

    Args:
        hu: ``[z, y, x]``.
        spacing_mm: Of that array, along x, y, z.
        centre_voxel_zyx: The place, fractional indices.
        diameter_mm: Of the candidate.

    Returns:
        HU, ``[32, 32, 32]``; beyond the array its outermost voxels are repeated.
    """
    offsets = view_offsets_mm(diameter_mm)
    z, y, x = (
        np.clip(centre + offsets / step, 0, size - 1)
        for centre, step, size in zip(centre_voxel_zyx, spacing_mm[::-1], hu.shape, strict=True)
    )
    return resample_separable(hu, (z, y, x), threads=1)


def size_prior(diameter_mm: float) -> NDArray[np.float32]:
    """The second channel: a soft ball of the candidate's diameter at the centre, 0 to 1."""
    squared = (view_offsets_mm(diameter_mm) / (diameter_mm / 2)) ** 2
    distance = np.sqrt(squared[:, None, None] + squared[:, None] + squared)
    prior: NDArray[np.float32] = (1 / (1 + np.exp(4 * (distance - 1)))).astype(np.float32)
    return prior


def sample_view(
    view: NDArray[np.float32], view_index_zyx: Sequence[NDArray[np.float64]]
) -> NDArray[np.float32]:
    """Interpolates a view linearly at a grid of places along its axes; 0 outside.

    Args:
        view: ``[32, 32, 32]``.
        view_index_zyx: For each axis the fractional index in the view of every wanted plane.
    """
    values = view
    for axis, index in enumerate(view_index_zyx):
        matrix = interpolation_matrix(index, VIEW_VOXELS)
        inside = (index >= -0.5) & (index <= VIEW_VOXELS - 0.5)
        moved = np.moveaxis(values, axis, 0)
        rows = (matrix @ moved.reshape(VIEW_VOXELS, -1)) * inside[:, None]
        values = np.moveaxis(rows.reshape(-1, *moved.shape[1:]), 0, axis)
    return np.ascontiguousarray(values, dtype=np.float32)
