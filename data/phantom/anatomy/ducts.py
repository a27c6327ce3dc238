"""Great vessels, trachea with the main bronchi, and oesophagus: a table of bent tubes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.anatomy.thorax import profile
from hounsfield.data.phantom.fields import spline

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.person import Person

Knot = tuple[float, str, float, str, float, float]
"""x; whether y counts from the middle or the front of the spine; y; whether the level counts from
the base of the lungs (as a fraction of their height), the carina, the hilum or the aortic arch;
level; radius. Millimetres of an average adult."""

# fmt: off
_TABLE: tuple[tuple[str, str, float, tuple[Knot, ...]], ...] = (
    ("aorta", "blood", 0.0, (
        (-2, "middle", -12, "base", 0.43, 14), (-14, "middle", -26, "base", 0.52, 15),
        (-16, "middle", -24, "base", 0.62, 15), (-6, "middle", -12, "arch", 0.0, 14),
        (10, "middle", 10, "arch", 0.022, 13), (21, "middle", 30, "arch", -0.02, 12.5),
        (23, "spine", 4, "carina", 0.0, 12), (20, "spine", 2, "base", 0.4, 11.5),
        (8, "spine", -2, "base", 0.1, 11), (2, "spine", -4, "base", -0.5, 10))),
    ("superior vena cava", "blood", 0.0, (
        (-24, "middle", -14, "base", 0.46, 10), (-26, "middle", -13, "base", 0.6, 9),
        (-23, "middle", -18, "base", 0.76, 8), (-32, "middle", -14, "base", 0.9, 6.5))),
    ("inferior vena cava", "blood", 0.0, (
        (-28, "middle", 4, "base", 0.46, 11), (-27, "middle", 10, "base", 0.3, 11),
        (-22, "middle", 22, "base", 0.0, 11), (-20, "middle", 28, "base", -0.5, 11))),
    ("brachiocephalic vein", "blood", 0.0, (
        (-24, "middle", -18, "base", 0.77, 7), (0, "middle", -28, "base", 0.80, 6.5),
        (24, "middle", -20, "base", 0.87, 6.5), (38, "middle", -8, "base", 0.95, 6))),
    ("brachiocephalic artery", "blood", 0.0, (
        (-6, "middle", -12, "arch", 0.0, 7), (-12, "middle", -8, "base", 0.82, 6.5),
        (-24, "middle", 2, "base", 0.96, 5.5), (-30, "middle", 0, "base", 1.15, 4))),
    ("left carotid", "blood", 0.0, (
        (2, "middle", -2, "arch", 0.02, 4.5), (12, "middle", -2, "base", 0.86, 4),
        (22, "middle", 2, "base", 1.15, 3.5))),
    ("left subclavian", "blood", 0.0, (
        (13, "middle", 14, "arch", 0.02, 5.5), (21, "middle", 14, "base", 0.88, 5),
        (42, "middle", 8, "base", 1.0, 5))),
    ("azygos", "blood", 0.0, (
        (-7, "spine", 0, "base", 0.0, 3), (-8, "spine", 1, "base", 0.5, 3.5),
        (-12, "spine", -2, "carina", 0.03, 4), (-20, "middle", 14, "carina", 0.05, 4),
        (-24, "middle", -8, "carina", 0.04, 4.5))),
    ("pulmonary trunk", "blood", 0.0, (
        (8, "middle", -44, "base", 0.42, 13), (18, "middle", -38, "hilum", -0.03, 14),
        (19, "middle", -20, "hilum", 0.015, 13.5), (16, "middle", -8, "hilum", 0.02, 12))),
    ("hilar right artery", "blood", 0.0, (
        (16, "middle", -10, "hilum", 0.01, 11.5), (-8, "middle", -2, "hilum", 0.01, 10.5),
        (-30, "middle", 4, "hilum", 0.0, 9.5), (-43, "middle", 12, "hilum", -0.005, 8))),
    ("hilar left artery", "blood", 0.0, (
        (18, "middle", -12, "hilum", 0.015, 12), (32, "middle", 6, "hilum", 0.035, 10.5),
        (44, "middle", 17, "hilum", 0.03, 9), (47, "middle", 18, "hilum", 0.012, 8))),
    ("hilar right superior vein", "blood", 0.0, (
        (-20, "middle", 6, "base", 0.455, 7), (-38, "middle", -4, "hilum", -0.05, 6.5),
        (-46, "middle", -5, "hilum", -0.02, 6))),
    ("hilar right inferior vein", "blood", 0.0, (
        (-18, "middle", 18, "base", 0.43, 7), (-40, "middle", 27, "base", 0.41, 6.5),
        (-47, "middle", 29, "base", 0.40, 6))),
    ("hilar left superior vein", "blood", 0.0, (
        (28, "middle", 8, "base", 0.47, 7), (42, "middle", -2, "hilum", -0.03, 6.5),
        (48, "middle", -4, "hilum", 0.0, 6))),
    ("hilar left inferior vein", "blood", 0.0, (
        (24, "middle", 20, "base", 0.44, 7), (42, "middle", 30, "base", 0.42, 6.5),
        (48, "middle", 31, "base", 0.41, 6))),
    ("oesophagus", "muscle", 0.0, (
        (6, "spine", -6, "base", 0.1, 7), (4, "spine", -8, "base", 0.45, 7.5),
        (5, "middle", 26, "base", 0.7, 7), (5, "middle", 24, "base", 1.2, 6.5))),
    ("trachea", "air", 1.6, (
        (0, "middle", -2, "base", 1.25, 9.6), (1, "middle", 6, "base", 0.85, 9.8),
        (2, "middle", 13, "carina", 0.01, 10.0), (1, "middle", 14, "carina", -0.005, 8.6))),
    ("hilar right bronchus", "air", 1.5, (
        (1, "middle", 14, "carina", 0.0, 8.0), (-20, "middle", 15, "carina", -0.03, 7.2),
        (-40, "middle", 16, "hilum", -0.005, 6.4))),
    ("hilar left bronchus", "air", 1.4, (
        (1, "middle", 14, "carina", 0.0, 7.6), (22, "middle", 17, "carina", -0.035, 6.4),
        (45, "middle", 22, "hilum", -0.015, 5.8))),
)
# fmt: on


@dataclass(frozen=True)
class Duct:
    """A bent tube.

    Attributes:
        name: Anatomical name; tubes that end at a hilum begin with ``hilar``.
        kind: ``blood``, ``air`` or ``muscle``.
        points_xyz: Centre line in the chest frame, mm, shape (n, 3).
        radii_mm: Outer radius at each point, shape (n,).
        wall_mm: Thickness of the wall, included in the radius.
    """

    name: str
    kind: str
    points_xyz: NDArray[np.float64]
    radii_mm: NDArray[np.float64]
    wall_mm: float


def make_ducts(person: Person) -> tuple[Duct, ...]:
    """Fits the table of ducts to a person.

    Args:
        person: Scales the table in width, depth and height; the aorta widens with age.

    Returns:
        The ducts in the order of the table.
    """
    height, v = person.lung_height_mm, person.variation
    wide, deep = person.thorax_half_width_mm / 135, person.thorax_half_depth_mm / 92
    carina = 0.605 + 0.015 * v[3]
    levels = {
        "base": 0.0,
        "carina": carina,
        "hilum": carina - 0.05,
        "arch": carina + 0.085 + 0.01 * v[4],
    }
    back = profile(person, np.array([0.5 * height], np.float32), "back")
    depths = {"middle": 0.0, "spine": (float(back[0]) - 37) / deep}
    ageing = 1 + 0.006 * (person.age_years - 60)
    ducts = []
    for name, kind, wall_mm, knots in _TABLE:
        scale = person.vessel_scale * (ageing if name == "aorta" else 1.0)
        curve = spline(
            [
                (x * wide, (depths[origin] + y) * deep, (levels[start] + level) * height, r * scale)
                for x, origin, y, start, level, r in knots
            ],
            10 * len(knots),
        )
        ducts.append(Duct(name, kind, curve[:, :3], curve[:, 3], wall_mm))
    return tuple(ducts)
