"""Bones at full resolution: ribs, breastbone, shoulder blades and spine, drawn slice by slice."""

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


def blend(hu: Plane, value: Plane | float, share: Plane) -> None:
    """Moves `hu` towards `value` by `share`, in place."""
    hu += share * (value - hu)


def shell(hu: Plane, distance_mm: Plane, cortex_mm: float, density: float, blur_mm: float) -> None:
    """A bone: a cortex of the given thickness around marrow."""
    blend(hu, CORTEX_HU * density, coverage(distance_mm, blur_mm))
    blend(hu, MARROW_HU * density, coverage(distance_mm + np.float32(cortex_mm), blur_mm))


def draw_ribs(
    hu: Plane, person: Person, wall_mm: Plane, rib_mm: Plane, angle_rad: Plane, blur_mm: float
) -> None:
    """Ribs and their cartilages: at each level of the spine an ellipse in the wall."""
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


def draw_breastbone(
    hu: Plane,
    person: Person,
    x_mm: Plane,
    z_mm: float,
    wall_mm: Plane,
    front: NDArray[np.bool_],
    blur_mm: float,
) -> None:
    """The breastbone: a flat box before the front wall, wider at its upper end."""
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


def draw_shoulder_blades(
    hu: Plane,
    person: Person,
    z_mm: float,
    wall_mm: Plane,
    angle_rad: Plane,
    skin_mm: Plane,
    blur_mm: float,
) -> None:
    """The shoulder blades: thin plates behind the ribs, with the spine of each near the top."""
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
    """Vertebra or disc, canal, arches and processes at one height.

    Args:
        hu: A cut-out about the spine, changed in place.
        person: For its measures.
        x_mm: Chest frame x of the cut-out.
        y_mm: Chest frame y of the cut-out.
        z_mm: Chest frame height.
        centre_y_mm: Middle of the vertebral bodies at this height.
        texture: Random field of standard deviation 1, for the trabecular marrow.
        blur_mm: Width over which edges are spread.
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
    bone_share = float(np.clip(0.5 + (gap - disc_mm / 2) / 1.0, 0, 1))
    plate_share = float(np.clip(1 - abs(gap - disc_mm / 2 - 0.8) / 1.3, 0, 1))
    density = person.bone_density
    marrow = 185 * density + 40 * texture
    if bone_share > 0:
        blend(hu, 620 * density, coverage(body, blur_mm) * bone_share)
        blend(hu, marrow + 330 * plate_share, coverage(body + 1.2, blur_mm) * bone_share)
    canal = np.sqrt((x_mm / 10.5) ** 2 + ((y - (deep + 8)) / 8.5) ** 2) * 8.5 - 8.5
    arch = np.abs(canal - 2.6) - 2.6
    open_share = 0.45 < phase < 0.80
    arch = np.maximum(arch, (8.0 - np.abs(x_mm)) if open_share else np.float32(-50))
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
