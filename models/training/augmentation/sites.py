"""Places in prepared volumes, and the cubes around them: drawn as needed, nothing is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.volume import AIR_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Site = NDArray[np.int64]

_DRAWS, _ROUNDS = 64, 50

VESSEL_REACH = 8
"""Voxels around a place within which the brightest one is mostly a vessel."""


def site_in(mask: NDArray[np.generic], rng: np.random.Generator) -> Site | None:
    """Any voxel (z, y, x) where a mask is not 0; None where it is 0 (almost) everywhere.

    Voxels are drawn until one lies inside, so that of a mapped mask little is read.
    """
    for _ in range(_ROUNDS):
        drawn = rng.integers(mask.shape, size=(_DRAWS, mask.ndim))
        inside = np.flatnonzero(mask[tuple(drawn.T)])
        if len(inside):
            site: Site = drawn[inside[0]]
            return site
    return None


def edge_site_in(mask: NDArray[np.generic], rng: np.random.Generator) -> Site | None:
    """The last voxel inside the mask on a straight way out of it, along a random axis."""
    site = site_in(mask, rng)
    if site is None:
        return None
    axis, step = int(rng.integers(3)), int(rng.choice((-1, 1)))
    line = mask[tuple(slice(None) if a == axis else site[a] for a in range(3))]
    way = line[site[axis] :: step]
    outside = np.flatnonzero(way == 0)
    edge = site.copy()
    edge[axis] += step * (int(outside[0]) - 1 if len(outside) else len(way) - 1)
    return edge


def vessel_site_in(
    hu: NDArray[np.int16], lung: NDArray[np.uint8], rng: np.random.Generator
) -> Site | None:
    """The brightest voxel of lung near any place in it: mostly a vessel."""
    site = site_in(lung, rng)
    if site is None:
        return None
    low = np.maximum(site - VESSEL_REACH, 0)
    near = tuple(slice(a, b + VESSEL_REACH + 1) for a, b in zip(low, site, strict=True))
    return low + _brightest(np.where(lung[near] > 0, hu[near], AIR_HU))


def brightest_near(hu: NDArray[np.generic], site: Site) -> Site:
    """The brightest voxel near another, which lies at least `VESSEL_REACH` from every border."""
    start = site - VESSEL_REACH
    return start + _brightest(hu[tuple(slice(a, a + 2 * VESSEL_REACH + 1) for a in start)])


def _brightest(hu: NDArray[np.generic]) -> Site:
    return np.array(np.unravel_index(int(hu.argmax()), hu.shape))


def cut_cube(
    array: NDArray[np.generic], start_zyx: Site, size: int, *, outside: float = AIR_HU
) -> NDArray[np.float32]:
    """Copies a cube of `size` voxels that starts at a voxel, `outside` beyond the array."""
    low = np.clip(start_zyx, 0, array.shape)
    high = np.clip(start_zyx + size, 0, array.shape)
    cube = np.full((size,) * 3, outside, np.float32)
    inside = tuple(slice(a, b) for a, b in zip(low - start_zyx, high - start_zyx, strict=True))
    cube[inside] = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return cube
