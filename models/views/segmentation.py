"""View of the segmenter: a cube around a candidate whose width grows with the diameter."""

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
"""Edge of the cube over the candidate's diameter: a nodule twice as long as wide fits in,
off-centre."""

READER_STYLE_CHANNEL, BOUNDARY_CHANNEL = 0, 1
"""Channels of the network's output: the nodule as radiologists outline it, which is generous, and
to its true boundary. One channel cannot be both: trained on readers' outlines and exact phantom
nodules alike, a single channel made solid phantom nodules a quarter too large."""

MIN_WIDTH_MM = 20.0
"""Edge of the cube for the smallest nodules, whose surroundings are needed to recognise vessels."""


def view_spacing_mm(diameter_mm: float) -> float:
    """Computes the distance of a view's voxels.

    Args:
        diameter_mm: Diameter of the candidate, above 0.

    Returns:
        The distance in mm, the same along all axes.
    """
    return max(WIDTH_IN_DIAMETERS * diameter_mm, MIN_WIDTH_MM) / VIEW_VOXELS


def view_offsets_mm(diameter_mm: float) -> NDArray[np.float64]:
    """Computes the positions of a view's voxels along any axis, relative to the centre.

    Args:
        diameter_mm: Diameter of the candidate, above 0.

    Returns:
        ``[32]``, in mm.
    """
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
        hu: ``[z, y, x]`` of a volume on its native grid.
        spacing_mm: Distance of its voxels along x, y, z.
        centre_voxel_zyx: Centre of the view, fractional indices of the volume.
        diameter_mm: Diameter of the candidate, above 0.

    Returns:
        HU, ``[32, 32, 32]``; outside the volume its outermost voxels are repeated.
    """
    offsets = view_offsets_mm(diameter_mm)
    z, y, x = (
        np.clip(centre + offsets / step, 0, size - 1)
        for centre, step, size in zip(centre_voxel_zyx, spacing_mm[::-1], hu.shape, strict=True)
    )
    return resample_separable(hu, (z, y, x), threads=1)


def size_prior(diameter_mm: float) -> NDArray[np.float32]:
    """Computes the second input channel: a ball with a soft edge at the centre of the view.

    Args:
        diameter_mm: Diameter of the candidate, which is the ball's.

    Returns:
        ``[32, 32, 32]``, 1 inside, 0 outside, one half on the surface.
    """
    squared = (view_offsets_mm(diameter_mm) / (diameter_mm / 2)) ** 2
    distance = np.sqrt(squared[:, None, None] + squared[:, None] + squared)
    prior: NDArray[np.float32] = (1 / (1 + np.exp(4 * (distance - 1)))).astype(np.float32)
    return prior


def sample_view(
    view: NDArray[np.float32], view_index_zyx: Sequence[NDArray[np.float64]]
) -> NDArray[np.float32]:
    """Interpolates a view linearly on a grid along its axes.

    Args:
        view: ``[32, 32, 32]``, such as the probabilities of a segmentation.
        view_index_zyx: For each axis the fractional index in the view of every plane of the grid.

    Returns:
        The values on the grid; 0 outside the view.
    """
    values = view
    for axis, index in enumerate(view_index_zyx):
        matrix = interpolation_matrix(index, VIEW_VOXELS)
        inside = (index >= -0.5) & (index <= VIEW_VOXELS - 0.5)
        moved = np.moveaxis(values, axis, 0)
        rows = (matrix @ moved.reshape(VIEW_VOXELS, -1)) * inside[:, None]
        values = np.moveaxis(rows.reshape(-1, *moved.shape[1:]), 0, axis)
    return np.ascontiguousarray(values, dtype=np.float32)
