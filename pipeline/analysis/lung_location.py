"""Location of a point in the lungs: the side, and the third of that lung's height."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.findings import Lung, LungLocation, Zone
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.findings import WorldPoint
    from hounsfield.preprocessing.working_volume import WorkingVolume

_ZONES_FROM_BELOW = (Zone.LOWER, Zone.MIDDLE, Zone.UPPER)
_SIDES = {RIGHT_LUNG: Lung.RIGHT, LEFT_LUNG: Lung.LEFT}
_SEARCH_MM = 40.0


def locate_in_lungs(volume: WorkingVolume, centre_world_mm: WorldPoint) -> LungLocation:
    """Name the lung and the zone of a point.

    The lung is the one whose nearest voxel is nearest within 40 mm (a mass may lie outside the
    labels), or else the side of the midline between the lungs. The zones are thirds of that
    lung's own height.

    Args:
        volume: The working volume with its lung labels.
        centre_world_mm: The point, (x, y, z) in LPS mm.

    Returns:
        The patient's own side, and the upper, middle or lower third.
    """
    centre_xyz = volume.voxel_xyz(centre_world_mm)
    label = _nearest_label(volume, centre_xyz) or _side_of_midline(volume, centre_xyz)
    heights = np.flatnonzero((volume.lung_labels == label).any(axis=(1, 2)))
    if not heights.size:
        heights = np.arange(volume.lung_labels.shape[0])
    bottom, top = heights[0], heights[-1]
    third = int(3 * (centre_xyz[2] - bottom) / (top - bottom + 1))
    return LungLocation(_SIDES[label], _ZONES_FROM_BELOW[min(max(third, 0), 2)])


def _nearest_label(volume: WorkingVolume, centre_xyz: NDArray[np.float64]) -> int:
    """The label of the nearest lung voxel in a box of 40 mm about the point, or 0."""
    step_zyx = np.array(volume.spacing_mm[::-1])
    radius = np.rint(_SEARCH_MM / step_zyx).astype(int)
    centre_zyx = np.rint(centre_xyz[::-1]).astype(int)
    start = np.clip(centre_zyx - radius, 0, volume.lung_labels.shape)
    stop = np.clip(centre_zyx + radius + 1, 0, volume.lung_labels.shape)
    box = volume.lung_labels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    places = np.argwhere(box)
    if not len(places):
        return 0
    away_mm = (places + start - centre_xyz[::-1]) * step_zyx
    nearest = places[np.argmin((away_mm**2).sum(axis=1))]
    return int(box[tuple(nearest)])


def _side_of_midline(volume: WorkingVolume, centre_xyz: NDArray[np.float64]) -> int:
    """The lung on whose side of the box the point lies; x grows to the patient's left."""
    return LEFT_LUNG if centre_xyz[0] > (volume.lung_labels.shape[2] - 1) / 2 else RIGHT_LUNG
