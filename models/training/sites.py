"""Places in prepared volumes, and the cubes around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from preprocessing.volume import AIR_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_SITES = 100_000
"""Sites kept for each volume: enough to meet every part of it, and a small part of its memory."""


def sites_of(mask: NDArray[np.bool_]) -> NDArray[np.int16]:
    """At most `MOST_SITES` voxels of a mask, (n, 3), the same ones every time."""
    inside = np.flatnonzero(mask)
    if len(inside) > MOST_SITES:
        inside = np.random.default_rng(0).choice(inside, MOST_SITES, replace=False)
    return np.stack(np.unravel_index(inside, mask.shape), axis=1).astype(np.int16)


def cut_cube(hu: NDArray[np.int16], start_zyx: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Copies a cube of `size` voxels that starts at a voxel, air where it leaves the volume."""
    low = np.maximum(start_zyx, 0)
    high = np.minimum(start_zyx + size, hu.shape)
    cube = np.full((size,) * 3, AIR_HU, np.float32)
    inside = tuple(slice(a, b) for a, b in zip(low - start_zyx, high - start_zyx, strict=True))
    cube[inside] = hu[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return cube
