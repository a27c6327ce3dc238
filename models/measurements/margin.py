"""Margin of a nodule: how far its axial outlines are from being convex."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.kinds import Margin
from hounsfield.models.measurements.size import outline_mm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMOOTH_FROM, LOBULATED_FROM = 0.95, 0.87
"""Solidity; fitted to the median ratings of LIDC-IDRI's readers. See `benchmarks.segmentation`."""

MIN_POINTS = 8
"""Outlines with fewer points are too small to have a shape."""


def solidity(fraction: NDArray[np.float32], spacing_mm: tuple[float, float, float]) -> float:
    """Computes the area of a nodule over the area of its convex hulls, summed over axial slices.

    Args:
        fraction: ``[z, y, x]``, fraction of each voxel that is nodule, 0 to 1.
        spacing_mm: Distance of the voxels along x, y, z.

    Returns:
        0 to 1; 1 for a convex nodule, and where every slice is too small to have a shape.
    """
    from scipy.spatial import ConvexHull, QhullError

    area_mm2 = hull_mm2 = 0.0
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    for plane in fraction[(fraction >= 0.5).any(axis=(1, 2))]:
        points = outline_mm(plane, spacing_mm[:2])
        if len(points) < MIN_POINTS:
            continue
        try:
            hull_mm2 += ConvexHull(points).volume  # the area, in two dimensions
        except QhullError:  # all points on one line
            continue
        area_mm2 += float((plane >= 0.5).sum()) * pixel_mm2
    return min(area_mm2 / hull_mm2, 1.0) if hull_mm2 else 1.0


def margin_of(solidity: float) -> Margin:
    """Classifies the margin by the solidity alone.

    Args:
        solidity: Area over area of the convex hulls, 0 to 1.

    Returns:
        Smooth from `SMOOTH_FROM`, lobulated from `LOBULATED_FROM`, else spiculated.
    """
    if solidity >= SMOOTH_FROM:
        return Margin.SMOOTH
    return Margin.LOBULATED if solidity >= LOBULATED_FROM else Margin.SPICULATED
