"""The aerated lung: air inside the body that is neither airway nor bowel gas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.preprocessing.geometry.planar_hulls import planar_hulls
from hounsfield.preprocessing.hu_rounding import AIR_HU, MIN_HU
from hounsfield.preprocessing.lungs.airways import find_airway
from hounsfield.preprocessing.lungs.morphology import dilate, erode

if TYPE_CHECKING:
    from numpy.typing import NDArray

LUNG_BELOW_HU = -450
"""Half-way between aerated lung (-870) and soft tissue (0 to 60), for air of -1000."""

BODY_ABOVE_HU = -250

MIN_LUNG_HU = -900
"""Normal lung at full inspiration is denser; a measured value of air above this is ignored."""

GAS_BAND_HU = 60
GAS_FRACTION, GAS_FRACTION_SMALL = 0.9, 0.2
"""A part is gas if this fraction of its inner voxels is within the band of air. Vessels keep even
an emphysematous lung below it. In a small part the partial volume effect hides most of the gas."""

MIN_PART_ML, SMALL_PART_ML = 3.0, 50.0
"""Islands below the first are folds of skin, and fragments that closing restores; islands below the
second count as small parts."""

ENOUGH_ML = 150.0
"""With less lung than this inside the body's outline, there may be no outline in the field of
view."""

CUT_GAIN, CUT_GAIN_ML = 1.3, 50.0
"""The lungs count as cut at the sides of the field of view if that assumption finds this much more
of them."""


@dataclass(frozen=True, slots=True, eq=False)
class LungAir:
    """The result of `find_lung_air`, all on the coarse grid, ``[z, y, x]``.

    Attributes:
        lungs: The aerated lung, both sides.
        airway: Lumen of the trachea and the main bronchi.
        body: The region of the body: its convex hull in each axial plane, or, if the field of
            view cuts the lungs, all that is neither in front of it, behind it, nor outside air.
        air_hu: HU of air at the sides of the field of view; -1000 if there is none.
        open_area_cm2: Area in which lung borders directly on outside air or padding: a round
            field of view cuts it there.
    """

    lungs: NDArray[np.bool_]
    airway: NDArray[np.bool_]
    body: NDArray[np.bool_]
    air_hu: float
    open_area_cm2: float


def find_lung_air(hu: NDArray[np.int16], spacing_mm: float) -> LungAir:
    """Finds the aerated lung on a coarse isotropic upright grid.

    Air that reaches a side of its axial plane is outside the body, unless that would lose most of
    the lung: then the field of view cuts the lungs, and only what has the density of air is
    outside.

    Args:
        hu: Coarse upright grid, ``[z, y, x]``, x to the patient's left, y to the back.
        spacing_mm: Distance of voxel centres along all three axes.

    Returns:
        Lung, airway and body; empty masks if there is no lung.
    """
    hu = np.maximum(hu, MIN_HU)
    air_hu = _outside_air_hu(hu)
    # Outside air is often clipped at -1024 while the lumen of the trachea is -980.
    inner_air_hu = max(air_hu, float(AIR_HU))
    air = hu < LUNG_BELOW_HU + (inner_air_hu - AIR_HU) / 2
    gas = hu < inner_air_hu + GAS_BAND_HU
    voxel_ml = spacing_mm**3 / 1000
    for dense in (hu > BODY_ABOVE_HU, ~gas):
        body, inside, lungs = _lungs_in(air, gas, _body_hull(dense), voxel_ml)
        if lungs.sum() * voxel_ml > ENOUGH_ML:
            break  # Otherwise it may be a box cropped out of a lung, without chest wall.
    airway = find_airway(hu, inside, lungs, inner_air_hu, spacing_mm)
    if airway.any():
        wall = dilate(airway)
        inside &= ~wall
        lungs = _lung_parts(lungs & ~wall, gas, voxel_ml)
    for _ in range(2):  # Restores what opening removed: thin recesses, the rim between vessels.
        lungs = dilate(lungs) & inside | lungs
    bare = dilate(~body) & lungs
    return LungAir(lungs, airway, body, air_hu, float(bare.sum()) * spacing_mm**2 / 100)


def _lungs_in(
    air: NDArray[np.bool_], gas: NDArray[np.bool_], body_hull: NDArray[np.bool_], voxel_ml: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns the body, the air inside it, and the lung among that air, airway included."""
    air_inside = air & body_hull
    inside = air_inside & ~_reaching_sides(air, in_plane=True)
    lungs = _lung_parts(inside, gas, voxel_ml)
    if not _sides_cut(air_inside & ~lungs, gas, int(lungs.sum()), voxel_ml):
        return body_hull, inside, lungs
    # A chest wall that is cut off bounds no hull: all between front and back may be body.
    rows = body_hull.any(axis=2, keepdims=True)
    body = rows & ~dilate(_reaching_sides(gas, in_plane=False))
    inside = air & body
    lungs = _lung_parts(inside, gas, voxel_ml)
    return body, inside, _mostly_in(lungs, body_hull)


def _mostly_in(mask: NDArray[np.bool_], region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drops the connected parts that are more than half outside a region: table, blankets."""
    from scipy.ndimage import label

    parts, count = label(mask)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    keep = 2 * np.bincount(parts[region], minlength=count + 1) >= sizes
    keep[0] = False
    kept: NDArray[np.bool_] = keep[parts]
    return kept


def _sides_cut(
    elsewhere: NDArray[np.bool_], gas: NDArray[np.bool_], lung_voxels: int, voxel_ml: float
) -> bool:
    """Whether there is much more lung-like air inside the body than the lung found so far."""
    more = int(erode(elsewhere & ~gas).sum())
    return more > (CUT_GAIN - 1) * lung_voxels + CUT_GAIN_ML / voxel_ml


def _outside_air_hu(hu: NDArray[np.int16]) -> float:
    """Median of the air along the four sides of the axial planes.

    If the sides are inside the lung (a small box cropped out of it), that is not air.
    """
    sides = np.concatenate([face.ravel() for face in _sides(hu)])
    air = sides[sides < -700]
    median = float(np.median(air)) if air.size > 0.01 * sides.size else float(AIR_HU)
    return median if median < MIN_LUNG_HU else float(AIR_HU)


def _sides(volume: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return volume[:, 0], volume[:, -1], volume[:, :, 0], volume[:, :, -1]


def _reaching_sides(mask: NDArray[np.bool_], *, in_plane: bool) -> NDArray[np.bool_]:
    """The connected parts of a mask that reach the sides of the axial planes.

    Args:
        mask: ``[z, y, x]``.
        in_plane: Whether parts connect within each plane only. Otherwise outside air would
            connect to the lung through mouth and trachea.
    """
    from scipy.ndimage import generate_binary_structure, label

    structure = generate_binary_structure(3, 1)
    if in_plane:
        structure[[0, 2]] = False
    labels, count = label(mask, structure)
    reaching = np.zeros(count + 1, dtype=bool)
    for side in _sides(labels):
        reaching[side] = True
    reaching[0] = False
    reached: NDArray[np.bool_] = reaching[labels]
    return reached


def _body_hull(soft: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Axial hulls of the largest connected soft part: the body without the table."""
    from scipy.ndimage import label

    labels, count = label(erode(soft))
    if count == 0:
        return np.zeros_like(soft)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return planar_hulls(dilate(labels == sizes.argmax()))


def _lung_parts(
    inside: NDArray[np.bool_], gas: NDArray[np.bool_], voxel_ml: float
) -> NDArray[np.bool_]:
    """Keeps the connected parts that are lung: large enough, and not filled with gas."""
    from scipy.ndimage import label

    inner = erode(inside)
    core = dilate(inner) & inside
    labels, count = label(core)
    part_ml = np.bincount(labels.ravel(), minlength=count + 1) * voxel_ml
    inner_voxels = np.bincount(labels[inner], minlength=count + 1)
    gas_voxels = np.bincount(labels[inner & gas], minlength=count + 1)
    fraction = np.where(part_ml < SMALL_PART_ML, GAS_FRACTION_SMALL, GAS_FRACTION)
    keep = (part_ml >= MIN_PART_ML) & (gas_voxels <= fraction * inner_voxels)
    keep[0] = False
    kept: NDArray[np.bool_] = keep[labels]
    return kept
