"""Resamples a volume to the working grid: upright, with a model's spacing, around the lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG, WorkingVolume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.volume import Volume

WORKING_SPACING_MM = (1.0, 1.0, 1.0)
"""The working grid that all stages share; a detector may need another of its own."""

MARGIN_MM = 8.0
"""Room around the search mask, so that a finding at its edge has its surroundings."""

COUNT_TOLERANCE = 1e-4
"""Fraction of a step. NIfTI holds the spacing as float32, and its rounding over a whole chest must
not decide whether the grid has one voxel more."""

HALF = 128
"""Masks are interpolated between 0 and 256 and thresholded at this value."""


def to_working_volume(
    volume: Volume,
    lungs: Lungs,
    *,
    spacing_mm: float | tuple[float, float, float] = WORKING_SPACING_MM,
    margin_mm: float = MARGIN_MM,
    threads: int | None = None,
) -> WorkingVolume:
    """Resamples the box around the lungs to the spacing of a model.

    The axes are swapped and flipped, never rotated: an oblique series keeps its residual rotation
    in the affine. The box ends where the series ends.

    Args:
        volume: The series on its native grid.
        lungs: The lungs of the series, from `find_lungs`.
        spacing_mm: Distance of voxel centres along x, y, z, or one value for all three.
        margin_mm: Room on all sides of the search mask, inside the series.
        threads: Largest number of threads; by default `usable_threads`.

    Returns:
        HU, lung labels and search mask on the same grid.

    Raises:
        ValueError: A spacing is not positive, or the search mask is empty.
    """
    target_mm = np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), 3)
    if not np.all(target_mm > 0):
        msg = f"spacing_mm must be above 0, got {spacing_mm}"
        raise ValueError(msg)
    hu, native_affine = upright_view(volume)
    native_mm = np.linalg.norm(native_affine[:3, :3], axis=0)
    # Both grids have the same axes, so one is a scale and a shift of the other.
    lungs_mm = np.linalg.norm(lungs.affine[:3, :3], axis=0)
    lungs_origin = np.linalg.solve(
        native_affine[:3, :3], lungs.affine[:3, 3] - native_affine[:3, 3]
    )
    native_positions, lung_positions = [], []
    for axis in range(3):
        step = target_mm[axis] / native_mm[axis]
        first, last = _extent(lungs.search_mask, 2 - axis)
        scale = lungs_mm[axis] / native_mm[axis]
        margin = margin_mm / native_mm[axis]
        low = max(0.0, lungs_origin[axis] + first * scale - margin)
        high = min(hu.shape[2 - axis] - 1.0, lungs_origin[axis] + last * scale + margin)
        count = max(1, int(np.floor((high - low) / step + COUNT_TOLERANCE)) + 1)
        positions = low + step * np.arange(count)
        native_positions.append(positions)
        lung_positions.append((positions - lungs_origin[axis]) / scale)
    x, y, z = native_positions
    affine = native_affine.copy()
    affine[:3, :3] = native_affine[:3, :3] * (target_mm / native_mm)
    affine[:3, 3] = native_affine[:3, :3] @ (x[0], y[0], z[0]) + native_affine[:3, 3]
    return WorkingVolume(
        hu=resample_separable(hu, (z, y, x), threads=threads),
        lung_labels=_labels_at(lungs.labels, lung_positions, threads),
        search_mask=_mask_at(lungs.search_mask, lung_positions, threads),
        affine=affine,
    )


def normalise_hu(
    hu: NDArray[np.int16] | NDArray[np.float32], window: tuple[float, float]
) -> NDArray[np.float32]:
    """Returns HU mapped linearly to 0..1 and clipped, as float32.

    Args:
        hu: Hounsfield units, any shape.
        window: HU that become 0 and 1, the lower one first.

    Raises:
        ValueError: The window's lower end is not below its upper end.
    """
    low, high = window
    if not low < high:
        msg = f"window must be (low, high) in HU with low below high, got {window}"
        raise ValueError(msg)
    values = hu.astype(np.float32)
    values -= low
    values *= 1 / (high - low)
    clipped: NDArray[np.float32] = np.clip(values, 0, 1, out=values)
    return clipped


def _extent(mask: NDArray[np.bool_], axis: int) -> tuple[int, int]:
    """First and last index of the mask along an axis."""
    others = tuple(other for other in range(3) if other != axis)
    indices = np.flatnonzero(mask.any(axis=others))
    if indices.size == 0:
        msg = "search_mask must not be empty"
        raise ValueError(msg)
    return int(indices[0]), int(indices[-1])


def _labels_at(
    labels: NDArray[np.uint8], positions_xyz: list[NDArray[np.float64]], threads: int | None
) -> NDArray[np.uint8]:
    """Resamples the label of each lung."""
    right = _mask_at(labels == RIGHT_LUNG, positions_xyz, threads)
    left = _mask_at(labels == LEFT_LUNG, positions_xyz, threads) & ~right
    return right * np.uint8(RIGHT_LUNG) + left * np.uint8(LEFT_LUNG)


def _mask_at(
    mask: NDArray[np.bool_], positions_xyz: list[NDArray[np.float64]], threads: int | None
) -> NDArray[np.bool_]:
    """Resamples a mask by linear interpolation, thresholded at one half."""
    x, y, z = positions_xyz
    scaled = mask.astype(np.int16) * (2 * HALF)
    return resample_separable(scaled, (z, y, x), threads=threads) >= HALF
