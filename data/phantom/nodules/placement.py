"""Finds positions in the lungs for nodules: isolated, at a vessel, at the pleura, at the hilum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.lung_vessels import LungVessels
    from hounsfield.data.phantom.anatomy.tissue import Anatomy
    from hounsfield.data.phantom.nodules.spec import NoduleSpec

GAP_MM = 5.0


@dataclass(frozen=True)
class Site:
    """Possible positions in the lungs, one row each.

    Attributes:
        chest_xyz: Chest frame, mm, shape (n, 3).
        depth_mm: Distance from the surface of the lung, shape (n,).
        wall_mm: Distance from the chest wall, shape (n,).
        edge_mm: Distance from the end of the scan or of the field of view, shape (n,).
    """

    chest_xyz: NDArray[np.float32]
    depth_mm: NDArray[np.float32]
    wall_mm: NDArray[np.float32]
    edge_mm: NDArray[np.float32]


def place_nodules(
    anatomy: Anatomy, vessels: LungVessels, specs: Sequence[NoduleSpec], rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Chooses a centre for each nodule, the largest first, without overlap.

    Args:
        anatomy: The lungs, the hila and the chest wall.
        vessels: Nodules touch or avoid them, as specified.
        specs: Place and diameter of each nodule.
        rng: Random stream that chooses among equally good positions.

    Returns:
        Chest frame (x, y, z) in mm, in the order of `specs`. A nodule for which there is no room
        goes where there is most, and the surface of the lung cuts it.

    Raises:
        ValueError: The scan holds no lung.
    """
    site = _site(anatomy)
    placed: dict[int, NDArray[np.float64]] = {}
    if not len(site.depth_mm):
        msg = "nodules need lungs to lie in, got a scan without lung; give a larger field of view"
        raise ValueError(msg)
    for index in sorted(range(len(specs)), key=lambda i: -specs[i].diameter_mm):
        spec = specs[index]
        room = np.full(len(site.depth_mm), np.inf)
        for other, centre in placed.items():
            gap = (spec.diameter_mm + specs[other].diameter_mm) / 2 + GAP_MM
            room = np.minimum(room, np.linalg.norm(site.chest_xyz - centre, axis=1) - gap)
        penalty = _penalty(anatomy, vessels, site, spec)
        penalty += 10 * np.maximum(-room, 0) + 3 * np.maximum(
            spec.diameter_mm / 2 + 3 - site.edge_mm, 0
        )
        good = np.flatnonzero(penalty <= max(0.0, float(penalty.min())) + 0.5)
        centre = site.chest_xyz[rng.choice(good)] + rng.uniform(-1, 1, 3)
        placed[index] = centre
    return [placed[index] for index in range(len(specs))]


def _site(anatomy: Anatomy) -> Site:
    """Lists all coarse positions in the lungs."""
    grid = anatomy.grid
    inside = anatomy.lungs.distance_mm < -0.5
    axes = grid.coarse_axes_mm
    where = np.nonzero(inside)
    ends = [(grid.axis_mm(a)[0], grid.axis_mm(a)[-1]) for a in range(3)]
    from_end = np.minimum(axes[0][where[0]] - ends[0][0], ends[0][1] - axes[0][where[0]])
    across = np.hypot(axes[1][where[1]], axes[2][where[2]])
    from_circle = min(ends[1][1], ends[2][1]) - across
    return Site(
        grid.coarse_points(inside),
        -anatomy.lungs.distance_mm[inside],
        -anatomy.thorax.wall_mm[inside],
        np.minimum(from_end, from_circle),
    )


def _penalty(
    anatomy: Anatomy, vessels: LungVessels, site: Site, spec: NoduleSpec
) -> NDArray[np.float64]:
    """How far (mm) each position is from suiting the nodule; 0 where it suits."""
    radius = spec.diameter_mm / 2
    depth = site.depth_mm.astype(np.float64)
    if spec.place == "pleura":
        shallow, deep = (0.45, 0.8 * radius) if radius > 3 else (0.6, 1.2 * radius + 0.8)
        off_pleura = np.maximum(shallow * radius - depth, depth - deep)
        other_surface = np.maximum(site.wall_mm - depth - 2.5, 0)
        wrong = np.maximum(off_pleura, 0) + other_surface
    elif spec.place == "hilar":
        hila = [h for name, h in anatomy.mediastinum.hila.items() if name.endswith("artery")]
        from_hilum = np.min([np.linalg.norm(site.chest_xyz - h, axis=1) for h in hila], axis=0)
        too_far = np.maximum(from_hilum - (0.75 * radius + 22), 0)
        wrong = too_far + np.maximum(0.35 * radius - depth, 0)
    else:
        wrong = np.maximum(radius + 2.5 - depth, 0) + _vessel_penalty(vessels, site, spec)
    penalty: NDArray[np.float64] = wrong
    return penalty


def _vessel_penalty(vessels: LungVessels, site: Site, spec: NoduleSpec) -> NDArray[np.float64]:
    """Touching a vessel of 1 to 2.5 mm radius, or clear of all of them."""
    from scipy.spatial import cKDTree

    middle = np.concatenate([(t.start + t.end) / 2 for t in (vessels.arteries, vessels.veins)])
    width = np.concatenate([vessels.arteries.radius_mm, vessels.veins.radius_mm])
    if not len(middle):
        return np.zeros(len(site.depth_mm))
    radius = spec.diameter_mm / 2
    if spec.place == "vessel":
        fit = (width > 1.0) & (width < 2.6)
        away = cKDTree(middle[fit]).query(site.chest_xyz, workers=1)[0] if fit.any() else 0.0
        wrong: NDArray[np.float64] = np.maximum(np.abs(away - 0.9 * radius) - 1.0, 0)
        return wrong
    thick = width > max(1.1, 0.12 * radius)
    if not thick.any():
        return np.zeros(len(site.depth_mm))
    away = cKDTree(middle[thick]).query(site.chest_xyz, workers=1)[0]
    clear: NDArray[np.float64] = np.maximum(0.8 * radius + 2.0 - away, 0) * (radius < 12)
    return clear
