"""Heart, great vessels, windpipe and gullet: tubes and ellipsoids, and the space they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data.phantom.fields import ellipsoid, smooth_union, spline, tube
from data.phantom.thorax import profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data.phantom.grid import Grid
    from data.phantom.person import Person


@dataclass(frozen=True)
class Duct:
    """A bent tube.

    Attributes:
        name: What it is.
        points_xyz: Chest frame, mm, shape (n, 3).
        radii_mm: Shape (n,), of the outside.
        kind: ``blood``, ``air`` (with a wall of its own) or ``muscle``.
        wall_mm: Thickness of the wall, inside the radius.
    """

    name: str
    points_xyz: NDArray[np.float64]
    radii_mm: NDArray[np.float64]
    kind: str = "blood"
    wall_mm: float = 0.0


@dataclass(frozen=True)
class Mediastinum:
    """What lies between the lungs.

    Attributes:
        space_mm: Distance from all of it; no lung is inside.
        heart_mm: Distance from the heart's surface.
        chambers_mm: Distance from the blood in its chambers.
        ducts: The great vessels, the windpipe with the main bronchi, and the gullet.
        hila: Chest frame places where arteries, veins and bronchi enter: name to (x, y, z).
    """

    space_mm: NDArray[np.float32]
    heart_mm: NDArray[np.float32]
    chambers_mm: NDArray[np.float32]
    ducts: tuple[Duct, ...]
    hila: dict[str, tuple[float, float, float]]


def make_mediastinum(grid: Grid, person: Person) -> Mediastinum:
    """Places the organs and joins them, with fat between, to one space."""
    ducts, hila = _ducts(person)
    heart, chambers = _heart(grid, person)
    x, y, z = grid.coarse_chest
    height, v = person.lung_height_mm, person.variation
    back, front = profile(person, z, "back"), profile(person, z, "front")
    level = z / height
    # Front to back: thin behind the breastbone, wide around the windpipe and the spine.
    depth = (y - front) / np.maximum(back - front, 1)
    thin = 3.0 + 2.5 * v[2] + 10 * np.clip(level - 0.62, 0, 0.3) / 0.3
    waist = thin + 8 * np.clip((depth - 0.12) / 0.35, 0, 1) - 7 * np.clip((depth - 0.6) / 0.2, 0, 1)
    slab = (np.abs(x - 3 - 6 * np.clip(0.4 - level, 0, 1)) - waist).astype(np.float32)
    spine_y = back - 13
    spine = (np.sqrt(x**2 + (0.8 * (y - spine_y)) ** 2) - 19.5).astype(np.float32)
    space = smooth_union(smooth_union(slab, spine, 10), heart - 1.4, 8)
    for duct in ducts:
        margin = 2.0 if duct.kind == "air" else 2.6
        if duct.name.startswith("hilar"):
            margin = 0.6
        field = tube(grid, duct.points_xyz, list(duct.radii_mm + margin))
        space = smooth_union(space, field, 6.0)
    return Mediastinum(space, heart, chambers, ducts, hila)


def _heart(grid: Grid, person: Person) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The heart's surface and its chambers (left and right ventricle, the atria)."""
    height, s, v = person.lung_height_mm, person.heart_scale, person.variation
    depth = person.thorax_half_depth_mm / 92
    base = person.dome_height_left_mm * 0.86

    def part(x: float, y: float, z: float, radii: tuple[float, float, float], *turn: float):  # noqa
        centre = (x * s, y * depth, base + z * s)
        return ellipsoid(grid, centre, [r * s for r in radii], (turn[0], turn[1]) if turn else (0, 0))

    left = part(32, -22, 34, (47, 36, 34), 0.45, 0.35)
    right = part(2, -40, 30, (44, 27, 32), 0.2, 0.1)
    atrium = part(-28, -8, 46, (24, 30, 34))
    left_atrium = part(4, 14, 62, (36, 20, 22))
    heart = smooth_union(smooth_union(left, right, 16), smooth_union(atrium, left_atrium, 14), 14)
    cavities = smooth_union(atrium + 3, left_atrium + 3, 4)
    cavities = np.minimum(cavities, part(33, -22, 34, (34, 23, 21), 0.45, 0.35))
    cavities = np.minimum(cavities, part(0, -42, 32, (37, 20, 27), 0.2, 0.1))
    del height, v
    return heart, cavities


def _ducts(person: Person) -> tuple[tuple[Duct, ...], dict[str, tuple[float, float, float]]]:
    """The tubes, and the hila where the lungs' own trees begin."""
    height, v = person.lung_height_mm, person.variation
    wide, deep = person.thorax_half_width_mm / 135, person.thorax_half_depth_mm / 92
    age = 1 + 0.006 * (person.age_years - 60)
    carina = 0.605 + 0.015 * v[3]
    spine_front = float(profile(person, np.float32([0.5 * height]), "back")[0]) - 37

    def duct(
        name: str,
        knots: list[tuple[float, ...]],
        kind: str = "blood",
        wall_mm: float = 0.0,
        count: int = 24,
    ) -> Duct:
        """Knots are x (mm at a usual width), y (the same), height share, radius."""
        real = [(x * wide, y * deep, u * height, r * person.vessel_scale) for x, y, u, r in knots]
        curve = spline(real, count)
        return Duct(name, curve[:, :3], curve[:, 3], kind, wall_mm)

    back = spine_front / deep
    low = carina - 0.05
    right_hilum, left_hilum = (-43.0, 12.0, low - 0.005), (47.0, 18.0, low + 0.012)
    arch = carina + 0.085 + 0.01 * v[4]
    ducts = (
        duct("aorta", [(-2, -12, .43, 14 * age), (-14, -26, .52, 15 * age), (-16, -24, .62, 15 * age),
             (-6, -12, arch, 14 * age), (10, 10, arch + .022, 13 * age), (21, 30, arch - .02, 12.5 * age),
             (23, back + 4, carina, 12 * age), (20, back + 2, .4, 11.5 * age), (8, back - 2, .1, 11 * age),
             (2, back - 4, -.5, 10 * age)], count=60),
        duct("superior vena cava", [(-24, -14, .46, 10), (-26, -13, .6, 9), (-23, -18, .76, 8), (-32, -14, .9, 6.5)]),
        duct("brachiocephalic vein", [(-24, -18, .77, 7), (0, -28, .80, 6.5), (24, -20, .87, 6.5), (38, -8, .95, 6)]),
        duct("brachiocephalic artery", [(-6, -12, arch, 7), (-12, -8, .82, 6.5), (-24, 2, .96, 5.5), (-30, 0, 1.15, 4)]),
        duct("left carotid", [(2, -2, arch + .02, 4.5), (12, -2, .86, 4), (22, 2, 1.15, 3.5)]),
        duct("left subclavian", [(13, 14, arch + .02, 5.5), (21, 14, .88, 5), (42, 8, 1.0, 5)]),
        duct("pulmonary trunk", [(8, -44, .42, 13), (18, -38, low - .03, 14), (19, -20, low + .015, 13.5), (16, -8, low + .02, 12)]),
        duct("hilar right artery", [(16, -10, low + .01, 11.5), (-8, -2, low + .01, 10.5), (-30, 4, low, 9.5), right_hilum + (8.0,)]),
        duct("hilar left artery", [(18, -12, low + .015, 12), (32, 6, low + .035, 10.5), (44, 17, low + .03, 9), left_hilum + (8.0,)]),
        duct("hilar right superior vein", [(-20, 6, .455, 7), (-38, -4, low - .05, 6.5), (-46, -5, low - .02, 6)]),
        duct("hilar right inferior vein", [(-18, 18, .43, 7), (-40, 27, .41, 6.5), (-47, 29, .40, 6)]),
        duct("hilar left superior vein", [(28, 8, .47, 7), (42, -2, low - .03, 6.5), (48, -4, low, 6)]),
        duct("hilar left inferior vein", [(24, 20, .44, 7), (42, 30, .42, 6.5), (48, 31, .41, 6)]),
        duct("azygos", [(-7, back, .0, 3), (-8, back + 1, .5, 3.5), (-12, back - 2, carina + .03, 4), (-20, 14, carina + .05, 4), (-24, -8, carina + .04, 4.5)]),
        duct("gullet", [(6, back - 6, .1, 7), (4, back - 8, .45, 7.5), (5, 26, .7, 7), (5, 24, 1.2, 6.5)], "muscle"),
        duct("windpipe", [(0, -2, 1.25, 9.6), (1, 6, .85, 9.8), (2, 13, carina + .01, 10.2), (1, 14, carina - .005, 9.0)], "air", 1.6, 40),
        duct("hilar right bronchus", [(1, 14, carina, 8.0), (-20, 15, carina - .03, 7.2), (-40, 16, low - .005, 6.4)], "air", 1.5),
        duct("hilar left bronchus", [(1, 14, carina, 7.6), (22, 17, carina - .035, 6.4), (45, 22, low - .015, 5.8)], "air", 1.4),
        duct("inferior vena cava", [(-28, 4, .46, 11), (-27, 10, .3, 11), (-22, 22, .0, 11), (-20, 28, -.5, 11)]),
    )
    hila = {d.name: tuple(float(c) for c in d.points_xyz[-1]) for d in ducts if "hilar" in d.name}
    return ducts, hila
