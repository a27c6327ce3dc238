"""Samples places in prepared volumes and cuts cubes, without listing all voxels of a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.hu_rounding import AIR_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Site = NDArray[np.int64]

_SITES_PER_ROUND, _ROUNDS = 64, 50

VESSEL_RADIUS_VOXELS = 8
"""Within this distance of a place in the lung, the brightest voxel is mostly a vessel."""


def site_in(mask: NDArray[np.generic], rng: np.random.Generator) -> Site | None:
    """Samples any voxel where a mask is not 0.

    Random voxels are tried until one lies inside, so that little of a memory-mapped mask is read.

    Args:
        mask: Mask or labels, ``[z, y, x]``.
        rng: Source of all random choices.

    Returns:
        Voxel (z, y, x); None where the mask is 0 (almost) everywhere.
    """
    for _ in range(_ROUNDS):
        sites = rng.integers(mask.shape, size=(_SITES_PER_ROUND, mask.ndim))
        inside = np.flatnonzero(mask[tuple(sites.T)])
        if len(inside):
            site: Site = sites[inside[0]]
            return site
    return None


def edge_site_in(mask: NDArray[np.generic], rng: np.random.Generator) -> Site | None:
    """Samples a voxel at the edge of a mask: the last one inside, along a random axis.

    Args:
        mask: Mask or labels, ``[z, y, x]``.
        rng: Source of all random choices.

    Returns:
        Voxel (z, y, x); None where the mask is 0 (almost) everywhere.
    """
    site = site_in(mask, rng)
    if site is None:
        return None
    axis, step = int(rng.integers(3)), int(rng.choice((-1, 1)))
    line = mask[tuple(slice(None) if a == axis else site[a] for a in range(3))]
    outward = line[site[axis] :: step]
    outside = np.flatnonzero(outward == 0)
    edge = site.copy()
    edge[axis] += step * (int(outside[0]) - 1 if len(outside) else len(outward) - 1)
    return edge


def vessel_site_in(
    hu: NDArray[np.int16], lung: NDArray[np.uint8], rng: np.random.Generator
) -> Site | None:
    """Samples the brightest voxel near a random place in the lung, which is mostly a vessel.

    Args:
        hu: Volume at 1 mm, ``[z, y, x]``.
        lung: Labels of the lungs, same shape.
        rng: Source of all random choices.

    Returns:
        Voxel (z, y, x); None where there is (almost) no lung.
    """
    site = site_in(lung, rng)
    if site is None:
        return None
    low = np.maximum(site - VESSEL_RADIUS_VOXELS, 0)
    near = tuple(slice(a, b + VESSEL_RADIUS_VOXELS + 1) for a, b in zip(low, site, strict=True))
    return low + _brightest(np.where(lung[near] > 0, hu[near], AIR_HU))


def brightest_near(hu: NDArray[np.generic], site: Site) -> Site:
    """Returns the brightest voxel within `VESSEL_RADIUS_VOXELS` of another along each axis.

    Args:
        hu: Cube at 1 mm, ``[z, y, x]``.
        site: Voxel (z, y, x) at least that far from every border.
    """
    start = site - VESSEL_RADIUS_VOXELS
    return start + _brightest(hu[tuple(slice(a, a + 2 * VESSEL_RADIUS_VOXELS + 1) for a in start)])


def _brightest(hu: NDArray[np.generic]) -> Site:
    return np.array(np.unravel_index(int(hu.argmax()), hu.shape))


def cut_cube(
    array: NDArray[np.generic], start_zyx: Site, size: int, *, outside: float = AIR_HU
) -> NDArray[np.float32]:
    """Copies a cube that starts at a voxel.

    Args:
        array: HU or labels, ``[z, y, x]``.
        start_zyx: First voxel of the cube; it may lie outside the array.
        size: Edge of the cube in voxels.
        outside: Value of the cube beyond the array, by default air in HU.

    Returns:
        A new float32 cube.
    """
    low = np.clip(start_zyx, 0, array.shape)
    high = np.clip(start_zyx + size, 0, array.shape)
    cube = np.full((size,) * 3, outside, np.float32)
    inside = tuple(slice(a, b) for a, b in zip(low - start_zyx, high - start_zyx, strict=True))
    cube[inside] = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return cube
