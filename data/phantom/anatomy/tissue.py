"""Composes a slice: the HU of every tissue of the chest, before vessels and nodules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.anatomy.bones import (
    blend,
    draw_ribs,
    draw_scapulae,
    draw_spine,
    draw_sternum,
    shell,
)
from hounsfield.data.phantom.anatomy.thorax import arm_centre_mm, profile
from hounsfield.data.phantom.fields import coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.abdomen import Abdomen
    from hounsfield.data.phantom.anatomy.lungs import Lungs
    from hounsfield.data.phantom.anatomy.mediastinum import Mediastinum
    from hounsfield.data.phantom.anatomy.parenchyma import Parenchyma
    from hounsfield.data.phantom.anatomy.thorax import Thorax
    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.person import Person

    Plane = NDArray[np.floating]

AIR_HU, FAT_HU, MUSCLE_HU, SKIN_HU = -996.0, -104.0, 52.0, 15.0


@dataclass(frozen=True)
class Anatomy:
    """The organs of one person on a grid."""

    grid: Grid
    person: Person
    thorax: Thorax
    mediastinum: Mediastinum
    abdomen: Abdomen
    lungs: Lungs
    parenchyma: Parenchyma


def compose_slice(anatomy: Anatomy, index: int, rng: np.random.Generator) -> Plane:
    """Composes one fine slice of the body, without table, ducts and vessels.

    Args:
        anatomy: Organs on the coarse grid.
        index: Number of the fine slice, from 0.
        rng: Random stream of the marrow's texture; slices must be composed in order.

    Returns:
        HU, float32, shape (rows, columns).
    """
    grid, person = anatomy.grid, anatomy.person
    blur = grid.blur_mm
    x, y = grid.fine_chest_xy
    z = float(grid.axis_mm(0)[index] - grid.bottom_mm)
    hu = np.full(x.shape, AIR_HU, np.float32)
    thorax = anatomy.thorax
    skin = grid.fine_plane(thorax.skin_mm, index)
    wall = grid.fine_plane(thorax.wall_mm, index)
    angle = grid.fine_plane(thorax.angle_rad, index)
    _draw_wall(hu, anatomy, index, skin, wall, angle, blur)
    _draw_inside(hu, anatomy, index, wall, y, blur)
    rib = grid.fine_plane(thorax.rib_mm, index)
    draw_ribs(hu, person, wall, rib, angle, blur)
    draw_sternum(hu, person, x, z, wall, angle > 2.2, blur)
    draw_scapulae(hu, person, z, wall, angle, skin, blur)
    _draw_spine(hu, anatomy, z, blur, rng)
    _draw_limbs(hu, anatomy, index, z, blur)
    return hu


def lung_slice(anatomy: Anatomy, index: int) -> Plane:
    """Gives the distance from the surface of the lungs at one fine slice.

    Args:
        anatomy: Organs on the coarse grid.
        index: Number of the fine slice, from 0.

    Returns:
        Signed distance in mm, negative inside, shape (rows, columns).
    """
    return anatomy.grid.fine_plane(anatomy.lungs.distance_mm, index)


def _draw_wall(
    hu: Plane, anatomy: Anatomy, index: int, skin: Plane, wall: Plane, angle: Plane, blur: float
) -> None:
    """Skin, fat, and the layers of muscle with fat between them."""
    grid, thorax = anatomy.grid, anatomy.thorax
    fat = grid.fine_plane(thorax.fat_mm, index)
    warp = grid.fine_plane(thorax.warp_mm, index)
    body = coverage(skin, blur)
    blend(hu, FAT_HU, body)
    blend(hu, SKIN_HU, coverage(np.abs(skin + 0.9) - 0.7, blur) * body)
    septa = np.abs(np.sin(0.21 * skin + 0.45 * warp + 3 * angle)) - 0.05
    blend(hu, -45.0, coverage(septa * 9, blur) * coverage(skin + 4, blur) * np.float32(0.5))
    depth = np.maximum(wall - grid.fine_plane(thorax.muscle_mm, index), skin + np.minimum(fat, 7.0))
    muscle = np.maximum(-wall, depth)
    blend(hu, MUSCLE_HU, coverage(muscle, blur))
    layers = np.abs(np.mod(wall + warp - 12.5, 10.5) - 5.25) - 4.6
    fractions = coverage(-layers, 1.6) * coverage(12.5 - wall, 2.0)
    thin = np.clip(0.75 + 0.25 * warp, 0, 1)
    blend(hu, -80.0, fractions * thin * coverage(muscle + 1.5, blur) * np.float32(0.75))
    between = np.abs(wall - 1.6) - 0.5
    blend(hu, -75.0, coverage(between, blur) * np.float32(0.45))


def _draw_inside(
    hu: Plane, anatomy: Anatomy, index: int, wall: Plane, y: Plane, blur: float
) -> None:
    """Fat of the mediastinum, heart, organs below the diaphragm, and lungs."""
    grid, person = anatomy.grid, anatomy.person
    enhancement = person.enhancement_hu
    inner = coverage(wall + 0.4, blur)
    warp = grid.fine_plane(anatomy.thorax.warp_mm, index)
    blend(hu, FAT_HU + 14 + 9 * warp, inner)
    below = grid.fine_plane(anatomy.abdomen.below_mm, index)
    if float(below.min()) < 2:
        _draw_abdomen(hu, anatomy, index, below, inner, y, blur)
    heart = grid.fine_plane(anatomy.mediastinum.heart_mm, index)
    if float(heart.min()) < 4:
        heart = heart + 0.5 * warp
        blend(hu, 46.0 + 0.30 * enhancement, coverage(heart, blur))
        chambers = grid.fine_plane(anatomy.mediastinum.chambers_mm, index)
        blend(hu, person.blood_hu + 0.9 * enhancement, coverage(chambers, 2.0))
    lung = lung_slice(anatomy, index)
    if float(lung.min()) < 1:
        blend(hu, anatomy.parenchyma.plane(grid, index, lung), coverage(lung, blur))


def _draw_abdomen(
    hu: Plane, anatomy: Anatomy, index: int, below: Plane, inner: Plane, y: Plane, blur: float
) -> None:
    """Diaphragm, fat, liver, spleen, and the stomach with its gas in front."""
    grid, person, abdomen = anatomy.grid, anatomy.person, anatomy.abdomen
    enhancement = person.enhancement_hu
    warp = grid.fine_plane(anatomy.thorax.warp_mm, index)
    blend(hu, MUSCLE_HU, coverage(below, blur) * inner)
    blend(hu, FAT_HU, coverage(below + 3.0, blur) * inner)
    for field, value in (
        (abdomen.liver_mm, 58 + 0.25 * enhancement),
        (abdomen.spleen_mm, 48 + 0.35 * enhancement),
        (abdomen.stomach_mm, 40),
    ):
        blend(hu, value + 2 * warp, coverage(grid.fine_plane(field, index), blur) * inner)
    stomach = grid.fine_plane(abdomen.stomach_mm, index) + 3.5
    content = coverage(stomach, blur) * inner
    blend(hu, 20 + 12 * warp, content)
    blend(hu, AIR_HU, content * coverage(y - np.float32(abdomen.gas_front_mm), blur))


def _draw_spine(
    hu: Plane, anatomy: Anatomy, z: float, blur: float, rng: np.random.Generator
) -> None:
    """Cuts out the surroundings of the spine and draws it there."""
    x, y = anatomy.grid.fine_chest_xy
    person = anatomy.person
    back = float(profile(person, np.array([z], np.float32), "back")[0])
    near = (np.abs(x) < 40) & (y > back - 60) & (y < back + 75)
    rows, columns = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
    if not (len(rows) and len(columns)):
        return
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    texture = rng.standard_normal(hu[box].shape, dtype=np.float32)
    draw_spine(hu[box], person, x[box], y[box], z, back - 17, texture, blur)


def _draw_limbs(hu: Plane, anatomy: Anatomy, index: int, z: float, blur: float) -> None:
    """The heads of the upper arms beside the lungs' tips, and the arms where they are down."""
    person, grid = anatomy.person, anatomy.grid
    x, y = grid.fine_chest_xy
    shoulder = person.thorax_half_width_mm + (12 if person.arms_up else 42)
    if not person.arms_up:
        arm = grid.fine_plane(anatomy.thorax.arm_mm, index)
        # At the shoulder the arm is part of the trunk, whose skin and fat it does not have.
        apart = coverage(-grid.fine_plane(anatomy.thorax.skin_mm, index), blur)
        blend(hu, FAT_HU, coverage(arm, blur) * apart)
        blend(hu, MUSCLE_HU, coverage(arm + 0.35 * person.fat_mm + 3, blur))
        centre = arm_centre_mm(person, np.float32(z))
        bone = np.sqrt((np.abs(x) - centre) ** 2 + (y - 18) ** 2) - 10.5
        shell(hu, bone, 3.5, person.bone_density * 1.2, blur)
    top = person.lung_height_mm + 2
    squared = 23.0**2 - (z - top) ** 2
    if squared > 0:
        head = np.sqrt((np.abs(x) - shoulder - 18) ** 2 + (y - 12) ** 2) - np.float32(
            np.sqrt(squared)
        )
        shell(hu, head, 1.8, person.bone_density, blur)
