"""Bones at full resolution: ribs, sternum, scapulae and spine, drawn slice by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.person import Person

    Plane = NDArray[np.floating]

CORTEX_HU, MARROW_HU, CARTILAGE_HU, DISC_HU = 1000.0, 190.0, 105.0, 80.0
RIB_CENTRE_MM, RIB_HALF_THICKNESS_MM, RIB_HALF_HEIGHT_MM = 5.6, 3.7, 6.6
_RIB_ENDS_RAD = (2.35, 2.45, 2.5, 2.5, 2.47, 2.42, 2.35, 2.25, 2.1, 1.95, 1.45, 0.9)
"""Angle at which the bone of ribs 1 to 12 ends and the cartilage begins."""


def blend(hu: Plane, value: Plane | float, fraction: Plane) -> None:
    """Moves HU towards a value in place.

    Args:
        hu: HU of a slice or a part of one, changed in place.
        value: Target HU, one for all or one per pixel.
        fraction: How far each pixel moves, 0 (not at all) to 1 (onto the value).
    """
    hu += fraction * (value - hu)


def shell(hu: Plane, distance_mm: Plane, cortex_mm: float, density: float, blur_mm: float) -> None:
    """Draws a bone as a cortex around marrow.

    Args:
        hu: HU of a slice or a part of one, changed in place.
        distance_mm: Signed distance from the surface of the bone, negative inside.
        cortex_mm: Thickness of the cortex.
        density: Factor on the HU of cortex and marrow; 1 is a healthy adult's.
        blur_mm: Width of the edges.
    """
    blend(hu, CORTEX_HU * density, coverage(distance_mm, blur_mm))
    blend(hu, MARROW_HU * density, coverage(distance_mm + np.float32(cortex_mm), blur_mm))


def draw_ribs(
    hu: Plane, person: Person, wall_mm: Plane, rib_mm: Plane, angle_rad: Plane, blur_mm: float
) -> None:
    """Draws ribs and costal cartilages: an ellipse in the chest wall at each level of the spine.

    Args:
        hu: HU of the slice, changed in place.
        person: Supplies vertebral pitch, bone density and calcification.
        wall_mm: Signed distance from the inner surface of the chest wall.
        rib_mm: Height along the spine of the rib level that passes each pixel.
        angle_rad: Angle from the back (0) round either side to the front (pi).
        blur_mm: Width of the edges.
    """
    pitch = np.float32(person.vertebra_pitch_mm)
    top = np.float32(person.lung_height_mm - 6)
    number = np.clip(np.floor((top - rib_mm) / pitch + 0.5), 0, 11)
    up = rib_mm - (top - number * pitch)
    end = np.asarray(_RIB_ENDS_RAD, np.float32)[number.astype(np.intp)]
    across = wall_mm - np.float32(RIB_CENTRE_MM)
    # The level field is steep where a rib runs down, so heights are shortened across the rib.
    size = np.sqrt((across / RIB_HALF_THICKNESS_MM) ** 2 + (up / RIB_HALF_HEIGHT_MM) ** 2)
    distance = (size - 1) * np.float32(RIB_HALF_THICKNESS_MM * 1.1)
    body = np.float32(person.thorax_half_width_mm * 0.8)
    beyond = (angle_rad - end) * body
    bone = np.maximum(distance, beyond)
    cartilage = np.maximum(distance + np.float32(0.3), -beyond)
    cartilage = np.where((number < 10) & (angle_rad < 2.98), cartilage, np.float32(50))
    blend(hu, CARTILAGE_HU, coverage(cartilage, blur_mm))
    if person.calcification > 0.3:
        rim = np.abs(cartilage + 0.8) - 0.5
        patchy = np.sin(rib_mm * 1.7) * np.sin(angle_rad * 40) > 1 - person.calcification
        blend(hu, 450.0, coverage(rim, blur_mm) * patchy)
    shell(hu, bone, 1.15, person.bone_density * 0.9, blur_mm)


def draw_sternum(
    hu: Plane,
    person: Person,
    x_mm: Plane,
    z_mm: float,
    wall_mm: Plane,
    front: NDArray[np.bool_],
    blur_mm: float,
) -> None:
    """Draws the sternum: a flat box at the front wall, wider at its upper end.

    Args:
        hu: HU of the slice, changed in place.
        person: Supplies the height of the lungs and the bone density.
        x_mm: Chest frame x of each pixel.
        z_mm: Chest frame height of the slice.
        wall_mm: Signed distance from the inner surface of the chest wall.
        front: Pixels on the front side of the thorax.
        blur_mm: Width of the edges.
    """
    level = z_mm / person.lung_height_mm
    if not 0.30 < level < 0.90:
        return
    width = float(
        np.interp(
            level, [0.30, 0.36, 0.5, 0.70, 0.73, 0.80, 0.88, 0.90], [3, 14, 17, 13, 15, 27, 30, 20]
        )
    )
    flat = np.abs(wall_mm - 6.5) - 4.3
    distance = np.maximum(flat, np.abs(x_mm) - np.float32(width))
    corner = (
        np.sqrt(np.maximum(flat + 3, 0) ** 2 + np.maximum(np.abs(x_mm) - width + 3, 0) ** 2) - 3
    )
    distance = np.where(front, np.maximum(distance, corner), np.float32(50))
    if abs(level - 0.715) < 0.006:
        blend(hu, DISC_HU, coverage(distance, blur_mm))
    else:
        shell(hu, distance, 1.1, person.bone_density * 0.85, blur_mm)


def draw_scapulae(
    hu: Plane,
    person: Person,
    z_mm: float,
    wall_mm: Plane,
    angle_rad: Plane,
    skin_mm: Plane,
    blur_mm: float,
) -> None:
    """Draws the scapulae: thin plates behind the ribs, with the spine of each near its top.

    Args:
        hu: HU of the slice, changed in place.
        person: Supplies the height of the lungs and the bone density.
        z_mm: Chest frame height of the slice.
        wall_mm: Signed distance from the inner surface of the chest wall.
        angle_rad: Angle from the back (0) round either side to the front (pi).
        skin_mm: Signed distance from the skin, negative inside; the plates stay 9 mm below it.
        blur_mm: Width of the edges.
    """
    level = z_mm / person.lung_height_mm
    if not 0.44 < level < 1.02:
        return
    rise = (level - 0.44) / 0.58
    inner = 0.78 - 0.22 * rise
    outer = float(np.interp(rise, [0, 0.15, 0.6, 0.85, 1], [0.95, 1.25, 1.75, 1.85, 1.6]))
    away = 21 + 10 * np.clip((angle_rad - 0.8) / 1.0, 0, 1.2) + 4 * rise
    arc = np.float32(person.thorax_half_width_mm * 0.75)
    edge = np.maximum(inner - angle_rad, angle_rad - outer) * arc
    thick = 1.6 + 3.4 * np.exp(-(((edge + 3) / 5) ** 2))
    plate = np.maximum(np.abs(wall_mm - away) - thick, edge)
    if level > 0.72:
        crest = np.maximum(
            np.abs((angle_rad - (inner + 0.55 * (outer - inner))) * arc) - 2.2,
            np.maximum(away - wall_mm, wall_mm - away - 26 * (level - 0.72) / 0.2),
        )
        plate = np.minimum(plate, crest)
    plate = np.maximum(plate, skin_mm + np.float32(9))
    shell(hu, plate, 1.3, person.bone_density * 0.85, blur_mm)


def draw_spine(
    hu: Plane, person: Person, x_mm: Plane, y_mm: Plane, z_mm: float, centre_y_mm: float,
    texture: Plane, blur_mm: float,
) -> None:  # fmt: skip
    """Draws vertebra or disc, canal, arches and processes at one height.

    Args:
        hu: HU of a cut-out around the spine, changed in place.
        person: Supplies vertebral pitch, bone density and the size of the vertebrae.
        x_mm: Chest frame x of the cut-out's pixels.
        y_mm: Chest frame y of the cut-out's pixels.
        z_mm: Chest frame height of the slice.
        centre_y_mm: Chest frame y of the middle of the vertebral bodies at this height.
        texture: Random field of standard deviation 1, for the trabecular marrow.
        blur_mm: Width of the edges.
    """
    pitch = person.vertebra_pitch_mm
    level = person.lung_height_mm - z_mm
    phase = (level / pitch + 0.1) % 1.0
    size = 0.82 + 0.22 * float(np.clip(level / person.lung_height_mm, 0, 1.2))
    y = y_mm - np.float32(centre_y_mm)
    waist = 1 - 0.09 * np.sin(np.pi * phase) ** 2
    wide, deep = 17.5 * size * waist, 14.0 * size * waist
    body = (np.sqrt((np.abs(x_mm) / wide) ** 2.4 + (np.abs(y) / deep) ** 2.4) - 1) * deep
    notch = 9.0 - np.sqrt(x_mm**2 + (y - (deep + 5.5)) ** 2)
    body = np.maximum(body, notch)
    disc_mm = 4.2 * size
    gap = min(phase, 1 - phase) * pitch
    blend(hu, DISC_HU if gap < disc_mm / 2 else 60.0, coverage(body, blur_mm))
    bone_fraction = float(np.clip(0.5 + (gap - disc_mm / 2) / 1.0, 0, 1))
    plate_fraction = float(np.clip(1 - abs(gap - disc_mm / 2 - 0.8) / 1.3, 0, 1))
    density = person.bone_density
    marrow = 185 * density + 40 * texture
    if bone_fraction > 0:
        blend(hu, 620 * density, coverage(body, blur_mm) * bone_fraction)
        blend(hu, marrow + 330 * plate_fraction, coverage(body + 1.2, blur_mm) * bone_fraction)
    canal = np.sqrt((x_mm / 10.5) ** 2 + ((y - (deep + 8)) / 8.5) ** 2) * 8.5 - 8.5
    arch = np.abs(canal - 2.6) - 2.6
    arch_is_open = 0.45 < phase < 0.80
    arch = np.maximum(arch, (8.0 - np.abs(x_mm)) if arch_is_open else np.float32(-50))
    root = np.maximum(np.abs(np.abs(x_mm) - 12.5 * size) - 3.6, np.abs(y - deep - 3) - 6)
    if not 0.12 < phase < 0.5:
        root = np.full_like(root, 50)
        arch = np.where(y > deep + 6, arch, np.float32(50))
    process = np.maximum(np.abs(x_mm) - 2.6, np.abs(y - (deep + 24 + 7 * phase)) - 9)
    slant = np.abs((y - (deep + 9)) - 0.35 * (np.abs(x_mm) - 12))
    across = np.maximum(slant - 4.0, np.abs(np.abs(x_mm) - 22) - 11)
    if not 0.15 < phase < 0.55:
        across = np.full_like(across, 50)
    joint = np.sqrt((np.abs(x_mm) - 12.5) ** 2 + (y - (deep + 13)) ** 2) - 5.0
    bones = np.minimum(np.minimum(arch, root), np.minimum(np.minimum(process, across), joint))
    bones = np.maximum(bones, -canal)
    shell(hu, bones, 1.4, density, blur_mm)
    blend(hu, 18.0, coverage(canal, blur_mm))
    cord = np.sqrt(x_mm**2 + (y - (deep + 8.5)) ** 2) - 5.0
    blend(hu, 38.0, coverage(cord, blur_mm))
