"""Measurements on the pixels of a series: air, noise, jumps, metal, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.hu_rounding import AIR_HU
from hounsfield.preprocessing.lungs.morphology import erode
from hounsfield.preprocessing.lungs.segment import VOXEL_ML
from hounsfield.preprocessing.working_volume import LEFT_LUNG, OUTSIDE, RIGHT_LUNG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hounsfield.preprocessing.lungs.segment import Lungs

BLOCK = 6
"""Side of the squares of pixels in which noise is measured: small against organs."""

SOFT_TISSUE_HU = (0, 150)
LUNG_WINDOW_HU = (-1000, 0)


def outside_air_hu(lungs: Lungs) -> float | None:
    """Measures the air around the body: the most common HU of what is thin and not lung.

    Padding, which is exactly -1000, does not count.

    Args:
        lungs: The series on its coarse grid, with the search mask.

    Returns:
        HU, or None if there is less than 100 ml of it, or if less than 40 % of it is within 30 HU
        of that value: streaks, blankets, or lung that was cut off.
    """
    outside = lungs.hu[~lungs.search_mask]
    air = outside[(outside < -600) & (outside != AIR_HU)]
    if air.size * VOXEL_ML < 100:
        return None
    value = _most_common(air, np.arange(-1205, -594, 10))
    return value if np.mean(np.abs(air - value) <= 30) >= 0.4 else None


def noise_hu(hu: NDArray[np.int16]) -> float | None:
    """Measures the noise: the most common standard deviation of small squares of soft tissue.

    The global noise level of Christianson et al. (AJR 2015), on squares instead of a running
    window. The most common value is that of homogeneous tissue; edges form only the tail.

    Args:
        hu: int16, ``[z, y, x]``, upright, with the spacing of the native grid.

    Returns:
        Standard deviation in HU, or None if there is too little soft tissue.
    """
    deviations = []
    for plane in _spread_planes(hu, 24):
        rows, columns = (size // BLOCK for size in plane.shape)
        cropped = plane[: rows * BLOCK, : columns * BLOCK].astype(np.float32, order="C")
        blocks = cropped.reshape(rows, BLOCK, columns, BLOCK)
        mean = blocks.mean(axis=(1, 3))
        soft = (mean > SOFT_TISSUE_HU[0]) & (mean < SOFT_TISSUE_HU[1])
        deviations.append(blocks.std(axis=(1, 3))[soft])
    noise = np.concatenate(deviations)
    if noise.size < 200:
        return None
    return _most_common(noise, np.arange(0, 402, 2))


def largest_jump(hu: NDArray[np.int16], lung_slices: slice) -> tuple[float, int]:
    """Finds the slice that differs most from the one before, as if the patient had moved.

    The mean change from each slice to the next, in the lung window, is compared with the median
    change of the slices around.

    Args:
        hu: int16, ``[z, y, x]``, upright, with the spacing of the native grid.
        lung_slices: The slices that contain lung.

    Returns:
        The largest ratio, and the slice after the jump; ``(1, 0)`` if there are too few slices.
    """
    low, high = LUNG_WINDOW_HU
    before: NDArray[np.float32] | None = None
    changes = []
    for plane in hu[lung_slices, ::4, ::4]:
        now = np.clip(plane, low, high).astype(np.float32, order="C")
        if before is not None:
            changes.append(float(np.abs(now - before).mean()))
        before = now
    change = np.asarray(changes)
    if change.size < 12:
        return 1.0, 0
    padded = np.pad(change, 4, mode="reflect")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 9), axis=1)
    ratio = change / np.maximum(usual, 1.0)
    worst = int(ratio.argmax())
    return float(ratio[worst]), lung_slices.start + worst + 1


def voxels_above(hu: NDArray[np.int16], limit_hu: int) -> int:
    """Returns the number of voxels above a value, without a mask of the whole volume.

    Args:
        hu: int16, ``[z, y, x]``, any part of a volume.
        limit_hu: HU that do not count themselves.
    """
    return sum(int(np.count_nonzero(plane > limit_hu)) for plane in hu)


def blood_hu(lungs: Lungs) -> float | None:
    """Measures the heart and great vessels: the median of the soft tissue between the lungs.

    Only the front 60 % of the chest counts, without its front wall: no spine, no sternum.

    Args:
        lungs: The series on its coarse grid, with the labels of both lungs.

    Returns:
        HU, or None if there is less than 20 ml of it.
    """
    right, left = lungs.labels == RIGHT_LUNG, lungs.labels == LEFT_LUNG
    between = np.logical_or.accumulate(right, axis=2)
    between &= np.logical_or.accumulate(left[:, :, ::-1], axis=2)[:, :, ::-1]
    between &= lungs.labels == OUTSIDE
    rows = np.flatnonzero((right | left).any(axis=(0, 2)))
    depth = rows[-1] - rows[0]
    between[:, : int(rows[0] + 0.15 * depth)] = False
    between[:, int(rows[0] + 0.6 * depth) :] = False
    core = erode(between & (lungs.hu > 0))
    if np.count_nonzero(core) * VOXEL_ML < 20:
        return None
    return float(np.median(lungs.hu[core]))


def _most_common(values: NDArray[np.generic], edges: NDArray[np.int_]) -> float:
    """The middle of the bin with the largest count, smoothed over five bins."""
    counts, _ = np.histogram(values, bins=edges)
    peak = int(np.convolve(counts, np.ones(5), mode="same").argmax())
    return float((edges[peak] + edges[peak + 1]) / 2)


def _spread_planes(hu: NDArray[np.int16], count: int) -> Iterator[NDArray[np.int16]]:
    """At most `count` slices, evenly distributed."""
    for index in np.unique(np.linspace(0, len(hu) - 1, count).astype(int)):
        yield hu[index]
