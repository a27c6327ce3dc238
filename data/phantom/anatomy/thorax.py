"""The chest wall: its inner surface, the skin, and the fields that place the ribs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import ellipsoid, normalised, smooth_noise, smooth_union

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.person import Person

# Along the height of the lungs (0 at the lowest recess, 1 at the tips), relative to the half
# width and half depth of the thorax; read off adult chest CT.
_HEIGHTS = (-0.7, -0.2, 0.0, 0.15, 0.3, 0.5, 0.65, 0.78, 0.88, 0.96, 1.03, 1.2)
_HALF_WIDTH = (0.90, 0.97, 1.0, 1.0, 0.995, 0.965, 0.90, 0.77, 0.60, 0.42, 0.20, 0.20)
_BACK = (0.80, 0.92, 0.97, 1.0, 1.02, 1.03, 1.0, 0.92, 0.80, 0.66, 0.48, 0.30)
_FRONT = (-0.92, -0.97, -1.0, -1.0, -0.97, -0.88, -0.74, -0.56, -0.34, -0.10, 0.18, 0.10)
_SHOULDER = (0.0, 0.0, 0.0, 0.0, 0.0, 0.08, 0.35, 0.75, 1.0, 1.0, 0.95, 0.15)

RIB_DROP_MM = 78.0
"""How much lower the front end of a middle rib is than its head at the spine."""


@dataclass(frozen=True)
class Thorax:
    """Coarse fields of the chest wall, and curves along z (per coarse plane).

    Attributes:
        wall_mm: Distance from the inner surface of the chest wall, negative inside.
        skin_mm: Distance from the skin, negative inside.
        fat_mm: Thickness of the fat under the skin.
        rib_mm: Height along the spine of the rib level that passes here.
        angle_rad: From the back (0) round either side to the front (pi).
        radius: 1 on the inner surface, 0 on the axis of the thorax.
        arm_mm: Distance from the arms' skin.
        muscle_mm: How far from the inner surface the muscles reach.
        warp_mm: A smooth random field that bends the layers of muscle.
    """

    wall_mm: NDArray[np.float32]
    skin_mm: NDArray[np.float32]
    fat_mm: NDArray[np.float32]
    rib_mm: NDArray[np.float32]
    angle_rad: NDArray[np.float32]
    radius: NDArray[np.float32]
    arm_mm: NDArray[np.float32]
    warp_mm: NDArray[np.float32]
    muscle_mm: NDArray[np.float32]


def profile(person: Person, z_mm: NDArray[np.float32], which: str) -> NDArray[np.float32]:
    """Gives a measure of the inner chest wall at some heights.

    Args:
        person: Scales the tabulated profile to half width and half depth.
        z_mm: Heights in the chest frame, any shape.
        which: ``half_width``; ``back`` or ``front`` (chest frame y); ``shoulder`` (0 to 1, how much
            of the shoulder there is).

    Returns:
        Millimetres (``shoulder``: 0 to 1), of the shape of `z_mm`.
    """
    from scipy.interpolate import PchipInterpolator

    table, scale = {
        "half_width": (_HALF_WIDTH, person.thorax_half_width_mm),
        "back": (_BACK, person.thorax_half_depth_mm),
        "front": (_FRONT, person.thorax_half_depth_mm),
        "shoulder": (_SHOULDER, 1.0),
    }[which]
    height = np.clip(z_mm / person.lung_height_mm, _HEIGHTS[0], _HEIGHTS[-1])
    values: NDArray[np.float32] = (scale * PchipInterpolator(_HEIGHTS, table)(height)).astype(
        np.float32
    )
    return values


def arm_centre_mm(person: Person, z_mm: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    """Locates the middle of the left arm where the arms are down: closer at the shoulder.

    Args:
        person: Supplies the width of the thorax and the height of the lungs.
        z_mm: Heights in the chest frame, any shape.

    Returns:
        Chest frame x in mm, of the shape of `z_mm`; the right arm is its mirror image.
    """
    nearer = np.clip((z_mm / person.lung_height_mm - 0.55) / 0.45, 0, 1)
    return np.asarray(person.thorax_half_width_mm + 72 - 30 * nearer, np.float32)


def make_thorax(grid: Grid, person: Person, rng: np.random.Generator) -> Thorax:
    """Computes the chest wall's fields.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        person: Measures of thorax, fat and muscle, and the position of the arms.
        rng: Random stream that bends the layers of fat and muscle.

    Returns:
        The chest wall on the coarse grid.
    """
    x, y, z = grid.coarse_chest
    half_width, back, front = (profile(person, z, n) for n in ("half_width", "back", "front"))
    half_depth, middle = (back - front) / 2, (back + front) / 2
    side, depth = np.abs(x) / half_width, (y - middle) / half_depth
    # The hollows beside the spine reach farther back than the midline.
    depth = depth - np.where(depth > 0, 0.10 * np.exp(-(((side - 0.45) / 0.28) ** 2)) * depth, 0)
    power = np.float32(2.25 + 0.15 * person.variation[0])
    reach = (side**power + np.abs(depth) ** power) ** (1 / power)
    radius: NDArray[np.float32] = reach.astype(np.float32)
    angle = np.arctan2(side, depth).astype(np.float32)
    wall = normalised(radius - 1)
    warp = smooth_noise(rng, grid.coarse_shape_zyx, 5.0)
    drop = RIB_DROP_MM * (0.5 - 0.5 * np.cos(np.clip(angle, 0, 2.45) * (np.pi / 2.45))) ** 0.8
    drop = drop - 30 * np.clip(angle - 2.45, 0, None)
    rib = (z + drop * np.clip(half_width / person.thorax_half_width_mm, 0.25, 1)).astype(np.float32)
    skin, arm = _skin(grid, person)
    fat = person.fat_mm * (1 + 0.18 * warp) * (1.15 - 0.35 * np.cos(2 * angle))
    shoulder = profile(person, z, "shoulder")
    fat = fat * (1 - 0.35 * shoulder)
    return Thorax(
        wall_mm=wall,
        skin_mm=skin,
        fat_mm=fat.astype(np.float32),
        rib_mm=rib,
        angle_rad=angle,
        radius=radius,
        arm_mm=arm,
        warp_mm=warp * np.float32(2.5),
        muscle_mm=_muscle(person, z, angle, warp),
    )


def _muscle(
    person: Person, z_mm: NDArray[np.float32], angle: NDArray[np.float32], warp: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Outer limit of the muscles of the trunk: erector spinae, back, chest, shoulder."""
    level, m = z_mm / person.lung_height_mm, person.muscle_mm

    def bell(middle: float, width: float) -> NDArray[np.float32]:
        fraction: NDArray[np.float32] = np.exp(-(((angle - middle) / width) ** 2))
        return fraction

    high = np.clip((level - 0.42) / 0.15, 0, 1)
    reach = 12.5 + 0.25 * m + 23 * bell(0.1, 0.45) + 0.75 * m * bell(1.15, 0.40)
    reach = reach + 1.05 * m * bell(2.25, 0.42) * high + 0.35 * m * bell(1.9, 0.5)
    shoulder = np.clip((level - 0.68) / 0.28, 0, 1)
    reach = reach + (55 + 4 * m) * shoulder * (0.25 + np.sin(angle) ** 2) + 1.5 * warp
    muscle: NDArray[np.float32] = reach.astype(np.float32)
    return muscle


def _skin(grid: Grid, person: Person) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distances from the skin of the trunk and of the arms (large where the arms are up)."""
    x, y, z = grid.coarse_chest
    half_width, back, front = (profile(person, z, n) for n in ("half_width", "back", "front"))
    shoulder = profile(person, z, "shoulder")
    tissue = person.fat_mm + 0.7 * person.muscle_mm + 12
    wide = half_width + tissue
    reach = person.thorax_half_width_mm + (34 if person.arms_up else 62)
    wide = wide + shoulder * np.maximum(reach - wide, 0)
    low = np.minimum(front, -0.45 * person.thorax_half_depth_mm * (1 - 0.35 * shoulder))
    y_front = low - tissue * 0.75 * (1 - 0.3 * shoulder)
    y_back = np.maximum(back, 0.72 * person.thorax_half_depth_mm) + 16 + person.muscle_mm
    y_back = y_back + 0.8 * person.fat_mm
    middle, half_depth = (y_back + y_front) / 2, (y_back - y_front) / 2
    power = np.float32(2.5)
    radius = (np.abs(x) / wide) ** power + (np.abs(y - middle) / half_depth) ** power
    skin = normalised((radius ** (1 / power)).astype(np.float32) - 1)
    for sign in (-1, 1):
        joint = sign * (person.thorax_half_width_mm + (30 if person.arms_up else 60))
        deltoid = ellipsoid(grid, (joint, 12, person.lung_height_mm + 4), (44, 42, 46))
        skin = smooth_union(skin, deltoid, 30)
    if person.female:
        v, height = person.variation, person.lung_height_mm
        size = 1 + 0.25 * v[1] + person.fat_mm / 60
        top = -person.thorax_half_depth_mm * 0.86 - 4
        for sign in (-1, 1):
            breast = ellipsoid(
                grid, (sign * 72, top, 0.42 * height), (64 * size, 32 * size, 56 * size)
            )
            skin = smooth_union(skin, breast, 34)
    arm = np.full_like(skin, 500)
    if not person.arms_up:
        for sign in (-1, 1):
            centre = sign * arm_centre_mm(person, z)
            away = np.sqrt((x - centre) ** 2 + (y - 18) ** 2) - (38 + 0.3 * person.fat_mm)
            arm = np.minimum(arm, away)
        arm = np.maximum(arm, z - 1.0 * person.lung_height_mm).astype(np.float32)
    return skin, arm.astype(np.float32)
