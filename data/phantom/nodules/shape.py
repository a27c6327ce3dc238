"""The shape of a synthetic nodule: star-shaped, one radius for every direction from its middle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_QUADRATURE, _COARSE_QUADRATURE = 20_000, 2000

_BETWEEN = 1.02
"""Margin for what the surface rises or falls between directions of the coarse quadrature."""


@dataclass(frozen=True)
class NoduleShape:
    """A star-shaped body: a rotated ellipsoid with bumps.

    Attributes:
        scale_mm: Radius by which `axes` are multiplied.
        axes: Relative half axes, shape (3,).
        turn: Rotation matrix; rows are the directions of the axes in (x, y, z), shape (3, 3).
        bumps: Directions of the bumps, unit vectors (n, 3).
        heights: Heights of the bumps relative to the radius, negative for dents, shape (n,).
        widths: Concentration of the bumps (larger is narrower), shape (n,).
        shift_mm: Middle of the ellipsoid relative to the centre of mass, (x, y, z).
    """

    scale_mm: float
    axes: NDArray[np.float64]
    turn: NDArray[np.float64]
    bumps: NDArray[np.float64]
    heights: NDArray[np.float64]
    widths: NDArray[np.float64]
    shift_mm: NDArray[np.float64]

    def radius_mm(self, directions: NDArray[np.floating]) -> NDArray[np.float32]:
        """Distance from the ellipsoid's middle to the surface along unit vectors (..., 3)."""
        directions = np.asarray(directions, dtype=np.float32)
        along = directions @ (self.turn.T / self.axes).astype(np.float32)
        radius: NDArray[np.float32]
        radius = np.float32(self.scale_mm) / np.sqrt(np.einsum("...i,...i", along, along))
        rise = np.ones(directions.shape[:-1], np.float32)
        for bump, height, width in zip(self.bumps, self.heights, self.widths, strict=True):
            cosine = directions @ bump.astype(np.float32)
            rise += np.float32(height) * np.exp(np.float32(width) * (cosine - 1))
        return radius * rise

    def distance_mm(self, offset_xyz_mm: NDArray[np.floating]) -> NDArray[np.float32]:
        """Gives the distance from the surface along the radius, negative inside.

        Positions (..., 3) are (x, y, z) in mm, relative to the centre of mass.
        """
        place = np.asarray(offset_xyz_mm - self.shift_mm, dtype=np.float32)
        away = np.sqrt(np.einsum("...i,...i", place, place))
        direction = place / np.maximum(away, 1e-4)[..., None]
        distance: NDArray[np.float32] = away - self.radius_mm(direction)
        return distance

    @cached_property
    def radius_range_mm(self) -> tuple[float, float]:
        """Bounds of the surface's distance from the ellipsoid's middle, with a margin of 2 %."""
        radii = self.radius_mm(_sphere(_COARSE_QUADRATURE))
        return float(radii.min()) / _BETWEEN, float(radii.max()) * _BETWEEN

    @cached_property
    def reach_mm(self) -> float:
        """Upper bound of the distance of the surface from the centre of mass."""
        return self.radius_range_mm[1] + float(np.linalg.norm(self.shift_mm))

    def shrunk(self, fraction: float, move_mm: NDArray[np.float64]) -> NoduleShape:
        """Makes a smaller copy: a solid core, a cavity or a necrotic core.

        Args:
            fraction: Size of the copy relative to this shape.
            move_mm: Displacement of the copy's middle, (x, y, z).

        Returns:
            The copy; its directions and bumps are those of this shape.
        """
        return replace(self, scale_mm=self.scale_mm * fraction, shift_mm=self.shift_mm + move_mm)


def draw_shape(
    diameter_mm: float, margin: str, elongation: float, rng: np.random.Generator
) -> NoduleShape:
    """Draws a shape with exactly the volume of a sphere of the given diameter.

    Args:
        diameter_mm: Diameter of the sphere of equal volume.
        margin: ``smooth``, ``lobulated`` or ``spiculated``; spicules are not part of the shape.
        elongation: Ratio of the longest to the shortest axis, before the bumps.
        rng: Random stream that decides axes, rotation and bumps.

    Returns:
        The shape, with its centre of mass at the origin.
    """
    axes = np.array([elongation ** (1 / 2), elongation ** rng.uniform(-0.4, 0.3), elongation**-0.5])
    axes = axes * rng.uniform(0.93, 1.07, 3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    count, low, high = {"smooth": (4, 2.0, 4.0), "lobulated": (11, 4.0, 11.0)}.get(
        margin, (14, 6.0, 18.0)
    )
    size = {"smooth": 0.05, "lobulated": 0.36}.get(margin, 0.24)
    bumps = rng.normal(size=(count, 3))
    bumps /= np.linalg.norm(bumps, axis=1, keepdims=True)
    heights = rng.uniform(-0.6, 1.0, count) * size
    widths = rng.uniform(low, high, count)
    shape = NoduleShape(1.0, axes, turn, bumps, heights, widths, np.zeros(3))
    directions = _sphere(_QUADRATURE)
    radius = shape.radius_mm(directions).astype(np.float64)
    # Volume and centre of mass of a star-shaped body, integrated over the directions.
    mean_cube = float((radius**3).mean())
    scale = diameter_mm / 2 / mean_cube ** (1 / 3)
    centre = 0.75 * (radius[:, None] ** 4 * directions).mean(0) / mean_cube
    return replace(shape, scale_mm=scale, shift_mm=-scale * centre)


@cache
def _sphere(count: int) -> NDArray[np.float64]:
    """Evenly spread unit vectors, shape (count, 3): a Fibonacci lattice."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = np.pi * (1 + 5**0.5) * index
    across = np.sqrt(1 - z * z)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=-1)
