"""Degrades crops as scanners do: contrast, thick slices, blur, sharp kernels, noise, HU shift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def degrade(
    hu: NDArray[np.float32], rng: np.random.Generator, *, max_noise_hu: float = 60.0
) -> NDArray[np.float32]:
    """Degrades a crop at 1 mm as a random scanner would.

    A quarter gain or lose contrast agent. Half are averaged into slices of 2 to 5 mm; four in ten
    are blurred or sharpened in the plane; six in ten get noise, white or with the grain of a soft
    kernel; HU are shifted by about 12 (standard deviation).

    Args:
        hu: HU at 1 mm, ``[z, y, x]``.
        rng: Source of all random choices.
        max_noise_hu: Largest standard deviation of the added noise, in HU.

    Returns:
        HU of the same shape.
    """
    if rng.random() < 0.25:
        hu = np.where(hu > 0, hu * np.float32(rng.uniform(0.5, 3.0)), hu)
    if rng.random() < 0.5:
        hu = thick_slices(hu, int(rng.integers(2, 6)), int(rng.integers(0, 5)))
    kind = rng.random()
    if kind < 0.2:
        sigma = float(rng.uniform(0.4, 1.0))
        hu = ndimage.gaussian_filter(hu, (0.0, sigma, sigma))
    elif kind < 0.4:
        hu = hu + float(rng.uniform(0.3, 1.2)) * (hu - ndimage.gaussian_filter(hu, (0.0, 1.0, 1.0)))
    if rng.random() < 0.6:
        hu = hu + _noise(hu.shape, float(rng.uniform(5.0, max_noise_hu)), rng)
    return (hu + np.float32(rng.normal(0.0, 12.0))).astype(np.float32)


def scan_view(hu: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Degrades a view of any spacing mildly: contrast, blur, noise, HU shift.

    Args:
        hu: HU of the view, ``[z, y, x]``.
        rng: Source of all random choices.

    Returns:
        HU of the same shape.
    """
    if rng.random() < 0.2:
        hu = np.where(hu > 0, hu * np.float32(rng.uniform(0.5, 2.0)), hu)
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.2, 0.8, 3))
    if rng.random() < 0.7:
        noise = rng.standard_normal(hu.shape, dtype=np.float32)
        noise = ndimage.gaussian_filter(noise, rng.uniform(0.0, 1.2, 3))
        hu = hu + noise * np.float32(rng.uniform(5.0, 50.0) / noise.std())
    return (hu + np.float32(rng.normal(0.0, 15.0))).astype(np.float32)


def thick_slices(hu: NDArray[np.float32], thickness: int, phase: int) -> NDArray[np.float32]:
    """Imitates thick slices: averages along z, keeps every `thickness`-th slice, interpolates back.

    Args:
        hu: HU, ``[z, y, x]``.
        thickness: Slice thickness in voxels.
        phase: Index of the first kept slice, modulo the thickness.

    Returns:
        HU of the same shape.
    """
    averaged = ndimage.uniform_filter1d(hu, thickness, axis=0, mode="nearest")
    kept = np.arange(phase % thickness, len(hu), thickness)
    position = np.clip((np.arange(len(hu)) - kept[0]) / thickness, 0, len(kept) - 1)
    below = np.minimum(position.astype(int), max(len(kept) - 2, 0))
    above = np.minimum(below + 1, len(kept) - 1)
    weight = (position - below).astype(np.float32)[:, None, None]
    interpolated: NDArray[np.float32] = (
        averaged[kept[below]] * (1 - weight) + averaged[kept[above]] * weight
    )
    return interpolated


def _noise(
    shape: tuple[int, ...], deviation_hu: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Gaussian noise of a standard deviation, half the time with grain in the plane."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    if rng.random() < 0.5:
        sigma = float(rng.uniform(0.5, 1.2))
        noise = ndimage.gaussian_filter(noise, (0.0, sigma, sigma))
        noise /= noise.std()
    noise *= deviation_hu
    return noise
