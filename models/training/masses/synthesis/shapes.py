"""Shapes of synthetic masses: joined ellipsoids with an uneven surface, some with spicules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.masses.synthesis.fields import (
    box_around,
    kept_off_faces,
    offsets,
    random_rotation,
    smooth_noise,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.training.masses.synthesis.fields import Field

REACH = 1.75
"""No part of a mass is further from its centre than this, in radii."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The shape of a mass in a part of the chest.

    Attributes:
        box: The part of the chest, slices (z, y, x).
        depth: float32 ``[z, y, x]``: depth below the surface at each voxel of the box, in voxels,
            negative outside; exact near the surface only.
        radius: Radius of the target sphere, in voxels.
    """

    box: tuple[slice, slice, slice]
    depth: Field
    radius: float

    def fraction(self) -> Field:
        """Returns the fraction of each voxel that is mass; the edge is 1.5 voxels wide."""
        result: Field = np.clip(self.depth / 1.5 + 0.5, 0, 1)
        return result


def draw_shape(
    rng: np.random.Generator,
    shape_zyx: Sequence[int],
    centre_zyx: NDArray[np.float64],
    radius: float,
) -> Shape:
    """Draws a shape around a centre.

    Args:
        rng: Source of every random choice.
        shape_zyx: Shape of the chest, ``[z, y, x]``.
        centre_zyx: Centre as fractional indices of the chest.
        radius: Radius of a sphere of about the same volume, in voxels.

    Returns:
        The shape in a box of the chest.
    """
    box = box_around(centre_zyx, REACH * radius + 2, shape_zyx)
    size = [part.stop - part.start for part in box]
    local = centre_zyx - [part.start for part in box]
    parts = int(rng.choice([1, 2, 3, 4], p=[0.45, 0.25, 0.18, 0.12]))
    depth = _ellipsoid(rng, size, local, radius * (1 if parts == 1 else 0.85))
    for _ in range(parts - 1):
        away = rng.standard_normal(3)
        away *= rng.uniform(0.4, 0.75) * radius / np.linalg.norm(away)
        part = _ellipsoid(rng, size, local + away, radius * rng.uniform(0.4, 0.75))
        depth = _smooth_union(depth, part, 0.12 * radius)
    roughness = rng.choice([0.03, 0.08, 0.16], p=[0.3, 0.4, 0.3])
    depth += roughness * radius * smooth_noise(rng, size, max(3.0, 0.9 * radius))
    depth += 0.35 * roughness * radius * smooth_noise(rng, size, max(2.5, 0.4 * radius))
    if rng.random() < 0.25:
        depth = _spiculated(rng, depth, local, radius)
    return Shape(box, kept_off_faces(depth, box, shape_zyx).astype(np.float32), radius)


def _ellipsoid(
    rng: np.random.Generator, size: Sequence[int], centre: NDArray[np.float64], radius: float
) -> Field:
    """Depth in a randomly rotated ellipsoid whose axes vary by 20 % (standard deviation)."""
    axes = np.exp(rng.normal(0, 0.2, 3))
    axes *= radius / np.cbrt(axes.prod())
    away = np.stack(np.broadcast_arrays(*offsets(size, centre)))
    along = np.einsum("ij,jzyx->izyx", random_rotation(rng), away)
    scaled = np.sqrt(((along / axes[:, None, None, None].astype(np.float32)) ** 2).sum(axis=0))
    result: Field = ((1 - scaled) * np.float32(axes.min())).astype(np.float32)
    return result


def _smooth_union(first: Field, second: Field, blend: float) -> Field:
    """The larger of two depths, rounded where they meet."""
    near = np.clip(1 - np.abs(first - second) / max(blend, 1e-3), 0, 1)
    result: Field = np.maximum(first, second) + blend * 0.25 * near**2
    return result


def _spiculated(
    rng: np.random.Generator, depth: Field, centre: NDArray[np.float64], radius: float
) -> Field:
    """Adds thin rays that taper away from the surface."""
    away = np.stack(np.broadcast_arrays(*offsets(depth.shape, centre)))
    distance = np.sqrt((away**2).sum(axis=0)) + 1e-3
    for _ in range(int(rng.integers(4, 14))):
        direction = rng.standard_normal(3).astype(np.float32)
        direction /= np.linalg.norm(direction)
        along = np.einsum("i,izyx->zyx", direction, away)
        across = np.sqrt(np.maximum(distance**2 - along**2, 0))
        reach = radius * rng.uniform(1.15, 1.5)
        ray = np.where((along > 0) & (along < reach), 0.9 * (1 - along / reach) + 0.25 - across, -9)
        depth = np.maximum(depth, ray.astype(np.float32))
    return depth
