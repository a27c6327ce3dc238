"""Signed distance fields (mm, negative inside) and smooth noise on the coarse grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.grid import COARSE_MM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from hounsfield.data.phantom.grid import Grid

FAR_MM, REACH_MM = 1000.0, 24.0


def coverage(distance_mm: NDArray[np.floating], blur_mm: float) -> NDArray[np.float32]:
    """Gives the fraction of each voxel inside a surface: 1 inside, 0 outside, linear between.

    Args:
        distance_mm: Signed distance of the voxel centres from the surface, negative inside.
        blur_mm: Width of the transition, centred on the surface.

    Returns:
        The fractions, 0 to 1, of the shape of `distance_mm`.
    """
    fraction = np.float32(0.5) - distance_mm * np.float32(1 / blur_mm)
    inside: NDArray[np.float32] = np.clip(fraction, 0, 1, out=fraction)
    return inside


def smooth_union(
    a: NDArray[np.float32], b: NDArray[np.float32], radius_mm: float
) -> NDArray[np.float32]:
    """Unites two bodies with a rounded seam: the polynomial smooth minimum of their distances.

    Args:
        a: Signed distance from the first body in mm, negative inside.
        b: Signed distance from the second body, of a shape that broadcasts.
        radius_mm: Difference of the distances below which the seam is rounded.

    Returns:
        Signed distance from the union in mm.
    """
    mix = np.maximum(radius_mm - np.abs(a - b), 0) / np.float32(radius_mm)
    union: NDArray[np.float32] = np.minimum(a, b) - mix * mix * np.float32(radius_mm / 4)
    return union


def smooth_intersection(
    a: NDArray[np.float32], b: NDArray[np.float32], radius_mm: float
) -> NDArray[np.float32]:
    """Intersects two bodies with a rounded seam.

    Args:
        a: Signed distance from the first body in mm, negative inside.
        b: Signed distance from the second body, of a shape that broadcasts.
        radius_mm: Difference of the distances below which the seam is rounded.

    Returns:
        Signed distance from the intersection in mm.
    """
    return -smooth_union(-a, -b, radius_mm)


def normalised(field: NDArray[np.floating]) -> NDArray[np.float32]:
    """Divides a field by its gradient, which makes it a distance (mm) near its zero surface.

    Args:
        field: Shape of the coarse grid, `COARSE_MM` apart; 0 on the surface, negative inside.

    Returns:
        Approximate signed distance in mm, of the same shape.
    """
    dz, dy, dx = np.gradient(field, COARSE_MM)
    length = np.sqrt(dx * dx + dy * dy + dz * dz)
    distance: NDArray[np.float32] = field / np.maximum(length, 1e-3)
    return distance.astype(np.float32)


def ellipsoid(
    grid: Grid,
    centre_xyz: ArrayLike,
    radii_mm: ArrayLike,
    turn: tuple[float, float] = (0.0, 0.0),
) -> NDArray[np.float32]:
    """Computes the distance from an ellipsoid on the coarse grid.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        centre_xyz: Centre in the chest frame, mm.
        radii_mm: Half axes (x, y, z) before the rotation.
        turn: Rotation in rad, about z first, then about the front-to-back axis.

    Returns:
        Approximate signed distance in mm on the coarse grid, negative inside.
    """
    x, y, z = grid.coarse_chest
    cx, cy, cz = np.asarray(centre_xyz, dtype=np.float32)
    rx, ry, rz = np.asarray(radii_mm, dtype=np.float32)
    x, y, z = x - cx, y - cy, z - cz
    c, s = (np.float32(f(turn[0])) for f in (np.cos, np.sin))
    x, y = x * c + y * s, y * c - x * s
    c, s = (np.float32(f(turn[1])) for f in (np.cos, np.sin))
    u, w = x * c + z * s, z * c - x * s
    k = np.sqrt((u / rx) ** 2 + (y / ry) ** 2 + (w / rz) ** 2)
    k2 = np.sqrt((u / rx**2) ** 2 + (y / ry**2) ** 2 + (w / rz**2) ** 2)
    distance: NDArray[np.float32] = k * (k - 1) / np.maximum(k2, 1e-6)
    return distance


def tube(
    grid: Grid, points_xyz: NDArray[np.floating], radii_mm: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Computes the distance from a bent tube on the coarse grid.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        points_xyz: Centre line in the chest frame, mm, shape (n, 3).
        radii_mm: Radius at each point of the centre line, shape (n,).

    Returns:
        Signed distance in mm, negative inside; `FAR_MM` beyond `REACH_MM` from the surface.
    """
    x, y, z = grid.coarse_chest
    distance = np.full(grid.coarse_shape_zyx, FAR_MM, np.float32)
    for a, b, ra, rb in zip(
        points_xyz[:-1], points_xyz[1:], radii_mm[:-1], radii_mm[1:], strict=True
    ):
        reach = max(ra, rb) + REACH_MM
        low, high = np.minimum(a, b) - reach, np.maximum(a, b) + reach
        inside = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        planes = np.flatnonzero((z[:, 0, 0] > low[2]) & (z[:, 0, 0] < high[2]))
        if not (len(rows) and len(columns) and len(planes)):
            continue
        box = tuple(slice(i[0], i[-1] + 1) for i in (planes, rows, columns))
        px, py, pz = (x[box[1:]] - a[0], y[box[1:]] - a[1], z[box[0]] - a[2])
        d = (b - a).astype(np.float32)
        along = np.clip((px * d[0] + py * d[1] + pz * d[2]) / max(float(d @ d), 1e-6), 0, 1)
        away = np.sqrt(
            (px - along * d[0]) ** 2 + (py - along * d[1]) ** 2 + (pz - along * d[2]) ** 2
        )
        np.minimum(distance[box], away - (ra + along * (rb - ra)), out=distance[box])
    return distance


def smooth_noise(
    rng: np.random.Generator, shape_zyx: Sequence[int], sigma: float
) -> NDArray[np.float32]:
    """Draws a smooth random field of standard deviation 1.

    Args:
        rng: Random stream; one normal deviate is drawn for each sample.
        shape_zyx: Number of samples along each axis.
        sigma: Standard deviation of the Gaussian filter, in samples; the field wraps around.

    Returns:
        The field, float32.
    """
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(
        rng.standard_normal(tuple(shape_zyx), dtype=np.float32), sigma, mode="wrap"
    )
    scaled: NDArray[np.float32] = field / max(float(field.std()), 1e-6)
    return scaled


def spline(points: ArrayLike, count: int) -> NDArray[np.float64]:
    """Interpolates a smooth curve through knots by shape-preserving cubics.

    Args:
        points: Knots, shape (n, 3 or more): (x, y, z) in mm, then values that follow the curve.
        count: Number of points on the curve, evenly spaced along the polygon of the knots.

    Returns:
        Shape (count, columns of `points`).
    """
    from scipy.interpolate import PchipInterpolator

    knots = np.asarray(points, dtype=np.float64)
    step = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(knots[:, :3], axis=0), axis=1))]
    curve: NDArray[np.float64] = PchipInterpolator(step, knots)(np.linspace(0, step[-1], count))
    return curve
