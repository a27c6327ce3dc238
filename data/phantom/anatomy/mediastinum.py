"""The heart, and the space that it, the great vessels and the spine take between the lungs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.anatomy.ducts import make_ducts
from hounsfield.data.phantom.anatomy.thorax import profile
from hounsfield.data.phantom.fields import ellipsoid, smooth_union, tube

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.ducts import Duct
    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.person import Person

# Centre (x, y, z above the base of the heart), half axes, rotations about z and front-to-back.
_PARTS = {
    "left ventricle": ((32, -22, 34), (47, 36, 34), (0.45, 0.35)),
    "right ventricle": ((2, -40, 30), (44, 27, 32), (0.2, 0.1)),
    "right atrium": ((-28, -8, 46), (24, 30, 34), (0.0, 0.0)),
    "left atrium": ((4, 14, 62), (36, 20, 22), (0.0, 0.0)),
    "left chamber": ((33, -22, 34), (34, 23, 21), (0.45, 0.35)),
    "right chamber": ((0, -42, 32), (37, 20, 27), (0.2, 0.1)),
}


@dataclass(frozen=True)
class Mediastinum:
    """The organs between the lungs.

    Attributes:
        space_mm: Signed distance from all of them together, negative inside; no lung is inside.
        heart_mm: Signed distance from the surface of the heart.
        chambers_mm: Signed distance from the blood in its chambers.
        ducts: Great vessels, trachea with main bronchi, oesophagus.
    """

    space_mm: NDArray[np.float32]
    heart_mm: NDArray[np.float32]
    chambers_mm: NDArray[np.float32]
    ducts: tuple[Duct, ...]

    @property
    def hila(self) -> dict[str, NDArray[np.float64]]:
        """Where arteries, veins and bronchi enter the lungs: chest frame (x, y, z) mm by name."""
        return {
            duct.name: duct.points_xyz[-1] for duct in self.ducts if duct.name.startswith("hilar")
        }


def make_mediastinum(grid: Grid, person: Person) -> Mediastinum:
    """Places the organs and unites them, with the fat between them, into one space.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        person: Measures of thorax and heart, and individual variation.

    Returns:
        The mediastinum's coarse fields and ducts.
    """
    ducts = make_ducts(person)
    heart, chambers = _heart(grid, person)
    x, y, z = grid.coarse_chest
    back, front = profile(person, z, "back"), profile(person, z, "front")
    level = z / person.lung_height_mm
    # Front to back: thin behind the sternum, wide around the trachea, thin before the spine.
    depth = (y - front) / np.maximum(back - front, 1)
    thin = 3.0 + 2.5 * person.variation[2] + 10 * np.clip(level - 0.62, 0, 0.3) / 0.3
    waist = thin + 8 * np.clip((depth - 0.12) / 0.35, 0, 1)
    waist = waist - 7 * np.clip((depth - 0.6) / 0.2, 0, 1)
    slab = (np.abs(x - 3 - 6 * np.clip(0.4 - level, 0, 1)) - waist).astype(np.float32)
    spine = (np.sqrt(x**2 + (0.8 * (y - back + 13)) ** 2) - 19.5).astype(np.float32)
    space = smooth_union(smooth_union(slab, spine, 10), heart - 1.4, 8)
    for duct in ducts:
        margin_mm = 0.6 if duct.name.startswith("hilar") else 2.4
        field = tube(grid, duct.points_xyz, duct.radii_mm + margin_mm)
        space = smooth_union(space, field, 6.0)
    return Mediastinum(space, heart, chambers, ducts)


def _heart(grid: Grid, person: Person) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Computes the distances from the surface of the heart and from its chambers."""
    scale = person.heart_scale
    deep = person.thorax_half_depth_mm / 92
    base = person.dome_height_left_mm * 0.86
    part = {
        name: ellipsoid(
            grid,
            (x * scale, y * deep, base + z * scale),
            [half_axis * scale for half_axis in half_axes],
            turn,
        )
        for name, ((x, y, z), half_axes, turn) in _PARTS.items()
    }
    ventricles = smooth_union(part["left ventricle"], part["right ventricle"], 16)
    atria = smooth_union(part["right atrium"], part["left atrium"], 14)
    chambers = smooth_union(part["right atrium"] + 3, part["left atrium"] + 3, 4)
    chambers = np.minimum(chambers, part["left chamber"])
    chambers = np.minimum(chambers, part["right chamber"])
    return smooth_union(ventricles, atria, 14), chambers
