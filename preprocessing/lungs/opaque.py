"""Lung that holds no air: collapsed, consolidated or under fluid, with the other side as guide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.lungs.morphology import erode
from hounsfield.preprocessing.working_volume import LEFT_LUNG, OUTSIDE, RIGHT_LUNG

if TYPE_CHECKING:
    from numpy.typing import NDArray

LESS_AIR_THAN = 0.55
"""The smaller lung's share of the larger one's air. The left lung normally has 0.8 to 0.9 of
the right one's; a raised diaphragm alone keeps it above 0.6."""

PLANE_LESS_AIR_THAN = 0.35
"""The same within one axial plane: the rest of the plane's lung is taken for opaque."""

ABSENT_BELOW = 0.03
"""With less than this share the lung is absent: its place is searched, and is no lung."""

OPAQUE_HU = (-450, 200)
CHEST_WALL_VOXELS = 4
"""Thickness of skin and ribs that the mirror image keeps from the body's edge (12 mm)."""


def find_opaque_lung(
    hu: NDArray[np.int16],
    sides: NDArray[np.uint8],
    body: NDArray[np.bool_],
    *,
    body_middle: float,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Adds the opaque part of a lung that has much less air than the other.

    In the planes where one side lacks air, the other lung's outline is mirrored about the
    middle of the body, and what is dense in it is taken.

    Args:
        hu: Coarse upright grid, ``[z, y, x]``.
        sides: Air-holding lung, labelled.
        body: Convex hull of the body in each axial plane.
        body_middle: Its middle column.

    Returns:
        The labels with opaque lung added, and the places to search beside them: where a lung
        is absent altogether.
    """
    nowhere = np.zeros(sides.shape, dtype=bool)
    areas = {label: (sides == label).sum(axis=(1, 2)) for label in (RIGHT_LUNG, LEFT_LUNG)}
    smaller, larger = sorted(areas, key=lambda label: int(areas[label].sum()))
    share = areas[smaller].sum() / max(1, areas[larger].sum())
    lacking = (areas[smaller] < PLANE_LESS_AIR_THAN * areas[larger]) & (areas[larger] > 0)
    if share >= LESS_AIR_THAN or not lacking.any():
        return sides, nowhere
    inner = body
    for _ in range(CHEST_WALL_VOXELS):
        inner = erode(inner)
    opaque = _mirrored(sides == larger, body_middle) & inner
    opaque &= (hu > OPAQUE_HU[0]) & (hu < OPAQUE_HU[1]) & (sides == OUTSIDE)
    opaque &= lacking[:, None, None]
    if share < ABSENT_BELOW:
        return sides, opaque
    return np.where(opaque, np.uint8(smaller), sides), nowhere


def _mirrored(mask: NDArray[np.bool_], middle: float) -> NDArray[np.bool_]:
    """Mirrors a mask about a column."""
    source = np.rint(2 * middle - np.arange(mask.shape[2])).astype(int)
    known = (source >= 0) & (source < mask.shape[2])
    mirrored = np.zeros_like(mask)
    mirrored[:, :, known] = mask[:, :, source[known]]
    return mirrored
