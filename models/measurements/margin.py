"""Margin of a nodule: how far its outline is from being convex."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.measurements.kinds import Margin
from hounsfield.models.measurements.size import outline_mm

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SMOOTH_FROM, LOBULATED_FROM = 0.95, 0.87
"""Solidity; fitted to the median ratings of LIDC-IDRI's readers. See `benchmarks.segmentation`."""

MIN_POINTS = 8


def solidity(share: NDArray[np.float32], spacing_mm: tuple[float, float, float]) -> float:
    """Area of a nodule over that of its convex hulls, summed over the axial slices; 1 is convex.

    Args:
        share: ``[z, y, x]``, 0 to 1.
        spacing_mm: Along x, y, z.
    """
    from scipy.spatial import ConvexHull, QhullError

    area_mm2 = hull_mm2 = 0.0
    pixel_mm2 = spacing_mm[0] * spacing_mm[1]
    for plane in share[(share >= 0.5).any(axis=(1, 2))]:
        points = outline_mm(plane, spacing_mm[:2])
        if len(points) < MIN_POINTS:
            continue
        try:
            hull_mm2 += ConvexHull(points).volume  # of a plane figure: its area
        except QhullError:  # all points on one line
            continue
        area_mm2 += float((plane >= 0.5).sum()) * pixel_mm2
    return min(area_mm2 / hull_mm2, 1.0) if hull_mm2 else 1.0


def margin_of(solidity: float) -> Margin:
    """Names the margin by the solidity alone."""
    if solidity >= SMOOTH_FROM:
        return Margin.SMOOTH
    return Margin.LOBULATED if solidity >= LOBULATED_FROM else Margin.SPICULATED
