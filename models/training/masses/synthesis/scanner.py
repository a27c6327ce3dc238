"""A simulated scanner: thick slices, blur, noise, streaks, HU errors, flat couches, short scans."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter1d

if TYPE_CHECKING:
    from hounsfield.models.training.masses.synthesis.fields import Field

MIN_HU, MAX_HU = -1024, 3071


def rescan(hu: Field, rng: np.random.Generator) -> Field:
    """Blurs, adds noise, and changes the HU scale, each at random.

    Args:
        hu: float32 ``[z, y, x]`` at 3 mm; may be changed in place.
        rng: Source of every random choice.

    Returns:
        The rescanned chest, of the same shape, clipped to the range of CT.
    """
    if rng.random() < 0.2:
        _add_flat_couch(hu, rng)
    if rng.random() < 0.35:
        hu = uniform_filter1d(hu, int(rng.integers(2, 4)), axis=0)
    if rng.random() < 0.3:
        hu = gaussian_filter(hu, (0, *(rng.uniform(0.3, 0.8),) * 2))
    if rng.random() < 0.75:
        level = float(np.exp(rng.uniform(np.log(3), np.log(40))))
        noise = rng.standard_normal(hu.shape, dtype=np.float32)
        if rng.random() < 0.5:
            noise = gaussian_filter(noise, (0, 0.6, 0.6)) * 2.2
        hu = hu + level * noise
        if rng.random() < 0.3:  # Streaks of the shoulders run from side to side.
            rows = rng.standard_normal((*hu.shape[:2], 1), dtype=np.float32)
            hu += (
                level * rng.uniform(0.3, 1.2) * rows * np.linspace(0, 1, hu.shape[0])[:, None, None]
            )
    if rng.random() < 0.5:
        hu = (hu + 1000) * np.float32(rng.normal(1, 0.012)) - 1000 + np.float32(rng.normal(0, 10))
    result: Field = np.clip(hu, MIN_HU, MAX_HU).astype(np.float32)
    return result


def draw_extent(length: int, rng: np.random.Generator) -> slice:
    """Draws which slices a scan covers; four in five cover all.

    Args:
        length: Number of slices of the chest.
        rng: Source of every random choice.

    Returns:
        The slices along z.
    """
    if rng.random() > 0.2:
        return slice(0, length)
    first, last = rng.uniform(0, 0.3), rng.uniform(0.75, 1)
    return slice(int(first * length), max(int(last * length), int(first * length) + 24))


def _add_flat_couch(hu: Field, rng: np.random.Generator) -> None:
    """Paints the flat couch top of a radiotherapy scanner below the back."""
    rows = np.flatnonzero((hu > -300).mean(axis=(0, 2)) > 0.1)
    if not len(rows):
        return
    top = int(rows[-1]) + 1
    for row, value in ((top, rng.uniform(-500, -100)), (top + 3, rng.uniform(-900, -700))):
        if row < hu.shape[1]:
            hu[:, row, 4:-4] = np.maximum(hu[:, row, 4:-4], np.float32(value))
