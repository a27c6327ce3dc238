"""Opaque lung, collapsed, consolidated or displaced by fluid, found from the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.lungs.morphology import erode
from hounsfield.preprocessing.working_volume import LEFT_LUNG, OUTSIDE, RIGHT_LUNG

if TYPE_CHECKING:
    from numpy.typing import NDArray

LESS_AIR_THAN = 0.55
"""Air of the smaller lung as a fraction of that of the larger one. The left lung normally has 0.8
to 0.9 of the right one's; a raised diaphragm alone keeps it above 0.6."""

PLANE_LESS_AIR_THAN = 0.35
"""The same fraction within one axial plane: the rest of the plane's lung counts as opaque."""

ABSENT_BELOW = 0.03
"""With a smaller fraction the lung is absent: its region is searched, but is not lung."""

OPAQUE_HU = (-450, 200)
CHEST_WALL_VOXELS = 4
"""Distance that the mirror image keeps from the body's edge, for skin and ribs (12 mm)."""


def find_opaque_lung(
    hu: NDArray[np.int16],
    sides: NDArray[np.uint8],
    body: NDArray[np.bool_],
    *,
    body_middle: float,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Adds the opaque part of a lung that has much less air than the other.

    In the planes where one side lacks air, the other lung's outline is mirrored about the middle
    of the body, and what is dense within it is added.

    Args:
        hu: Coarse upright grid, ``[z, y, x]``.
        sides: uint8, same shape: the aerated lung, labelled right and left.
        body: Convex hull of the body in each axial plane.
        body_middle: Middle column of the body, fractional.

    Returns:
        The labels with opaque lung added, and the region to search besides: that of a lung that
        is absent altogether.
    """
    nowhere = np.zeros(sides.shape, dtype=bool)
    areas = {label: (sides == label).sum(axis=(1, 2)) for label in (RIGHT_LUNG, LEFT_LUNG)}
    smaller, larger = sorted(areas, key=lambda label: int(areas[label].sum()))
    fraction = areas[smaller].sum() / max(1, areas[larger].sum())
    lacking = (areas[smaller] < PLANE_LESS_AIR_THAN * areas[larger]) & (areas[larger] > 0)
    if fraction >= LESS_AIR_THAN or not lacking.any():
        return sides, nowhere
    inner = body
    for _ in range(CHEST_WALL_VOXELS):
        inner = erode(inner)
    opaque = _mirrored(sides == larger, body_middle) & inner
    opaque &= (hu > OPAQUE_HU[0]) & (hu < OPAQUE_HU[1]) & (sides == OUTSIDE)
    opaque &= lacking[:, None, None]
    if fraction < ABSENT_BELOW:
        return sides, opaque
    return np.where(opaque, np.uint8(smaller), sides), nowhere


def _mirrored(mask: NDArray[np.bool_], middle: float) -> NDArray[np.bool_]:
    """Mirrors a mask about a column."""
    source = np.rint(2 * middle - np.arange(mask.shape[2])).astype(int)
    known = (source >= 0) & (source < mask.shape[2])
    mirrored = np.zeros_like(mask)
    mirrored[:, :, known] = mask[:, :, source[known]]
    return mirrored
