"""Segments the trachea and the main bronchi, which do not belong to the lungs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

TUBE_BAND_HU = 80
"""The trachea's lumen is within this of the outside air, lung is not."""

TUBE_AREA_MM2 = (45.0, 900.0)
TUBE_WIDTH_MM = 36.0
TUBE_FILLED = 0.5
MIN_TUBE_MM = 24.0
"""A tracheal section: 8 to 34 mm wide in the plane (Breatnach 1984: 10 to 27 mm, and the carina),
compact, and visible over this length."""

MEDIASTINUM_HALF_WIDTH_MM = 45.0
BRONCHI_HALF_WIDTH_MM = 35.0
"""Distance from the trachea's axis up to which bronchi count as main; beyond, they are lung."""

MAX_AIRWAY_ML = 110.0
"""Trachea and main bronchi are smaller; a larger region has leaked into the lung."""

GROWTH_STEPS_HU = (60, 110, 160, 220)
"""Thresholds above air, tried in this order: narrow bronchi measure denser."""


def find_airway(
    hu: NDArray[np.int16],
    inside: NDArray[np.bool_],
    lungs: NDArray[np.bool_],
    air_hu: float,
    spacing_mm: float,
) -> NDArray[np.bool_]:
    """Returns the lumen of the trachea and the main bronchi, empty if there is no trachea.

    Args:
        hu: Coarse isotropic upright grid, ``[z, y, x]``.
        inside: Air inside the body, same shape.
        lungs: Lung among that air, with the airway still in it.
        air_hu: HU of air in this series.
        spacing_mm: Distance of voxel centres along all three axes.
    """
    airway = np.zeros_like(lungs)
    columns = np.flatnonzero(lungs.any(axis=(0, 1)))
    if columns.size == 0:
        return airway
    middle = (columns[0] + columns[-1]) / 2
    half = MEDIASTINUM_HALF_WIDTH_MM * 1.5 / spacing_mm
    window = slice(max(0, int(middle - half)), int(middle + half) + 1)
    hu_middle = np.where(inside[:, :, window], hu[:, :, window], 0)
    trachea = _longest_tube(hu_middle < air_hu + TUBE_BAND_HU, spacing_mm)
    if trachea is None:
        return airway
    grown = _grow(hu_middle, trachea, air_hu, spacing_mm)
    z, _, x = np.nonzero(trachea)
    upper = z >= np.median(z)
    axis_x = x[upper].mean()
    near = np.abs(np.arange(grown.shape[2]) - axis_x) <= BRONCHI_HALF_WIDTH_MM / spacing_mm
    airway[:, :, window] = grown & near
    return airway


def _longest_tube(pure_air: NDArray[np.bool_], spacing_mm: float) -> NDArray[np.bool_] | None:
    """Links compact sections of air, plane by plane, and returns the longest chain."""
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[1] = True
    labels, count = ndimage.label(pure_air, in_plane)
    area = np.bincount(labels.ravel(), minlength=count + 1) * spacing_mm**2
    is_section = (area >= TUBE_AREA_MM2[0]) & (area <= TUBE_AREA_MM2[1])
    is_section[0] = False
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        height, width = (part.stop - part.start for part in box[1:])
        limit = TUBE_WIDTH_MM / spacing_mm
        filled = area[label] / (height * width * spacing_mm**2)
        if max(height, width) > limit or filled < TUBE_FILLED:
            is_section[label] = False
    chains, count = ndimage.label(is_section[labels], np.ones((3, 3, 3), dtype=bool))
    boxes = ndimage.find_objects(chains)
    if not boxes:
        return None
    lengths = [(box[0].stop - box[0].start) * spacing_mm for box in boxes]
    best = int(np.argmax(lengths))
    if lengths[best] < MIN_TUBE_MM:
        return None
    tube: NDArray[np.bool_] = chains == best + 1
    return tube


def _grow(
    hu: NDArray[np.int16], trachea: NDArray[np.bool_], air_hu: float, spacing_mm: float
) -> NDArray[np.bool_]:
    """Grows the lumen from the trachea at a rising threshold until it leaks into the lung."""
    grown = trachea
    largest = MAX_AIRWAY_ML * 1000 / spacing_mm**3
    for band in GROWTH_STEPS_HU:
        labels, count = ndimage.label((hu < air_hu + band) | trachea)
        joined = np.zeros(count + 1, dtype=bool)
        joined[labels[trachea]] = True
        joined[0] = False
        wider = joined[labels]
        if wider.sum() > largest:
            break
        grown = wider
    return grown
