"""The planes in which a picture shows the patient: axial, coronal, sagittal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.report.figures.annotations import Edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.findings import WorldPoint

_WORLD_AXES = "xyz"


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane in the orientation that radiologists use.

    Attributes:
        name: The plane's name in radiology.
        right: World axis that runs to the right of the picture, and its sign.
        down: World axis that runs downwards, and its sign.
        edges: The patient's directions at the picture's four sides.
        normal: Name of the world axis perpendicular to the plane.
    """

    name: str
    right: tuple[int, int]
    down: tuple[int, int]
    edges: Edges
    normal: str

    def position_mm(self, point_world_mm: WorldPoint) -> float:
        """Coordinate, along the normal, of the plane through a point.

        Args:
            point_world_mm: Any point of the plane, (x, y, z) in LPS mm.

        Returns:
            LPS mm.
        """
        return point_world_mm[_WORLD_AXES.index(self.normal)]


AXIAL = Plane("axial", (0, 1), (1, 1), Edges("R", "L", "A", "P"), "z")
CORONAL = Plane("coronal", (0, 1), (2, -1), Edges("R", "L", "H", "F"), "y")
SAGITTAL = Plane("sagittal", (1, 1), (2, -1), Edges("A", "P", "H", "F"), "x")
FINDING_PLANES = (AXIAL, CORONAL, SAGITTAL)
"""The planes of a finding's picture, from left to right."""


def plane_world_mm(
    plane: Plane, centre_world_mm: WorldPoint, shape: tuple[int, int], mm_per_px: float
) -> NDArray[np.float64]:
    """Compute the world coordinates of each pixel of a plane.

    Args:
        plane: Orientation of the picture.
        centre_world_mm: Middle of the picture, (x, y, z) in LPS mm.
        shape: (rows, columns) of the picture.
        mm_per_px: Size of a pixel in mm.

    Returns:
        (x, y, z) in LPS mm, ``[row, column, 3]``.
    """
    rows, columns = np.indices(shape, dtype=np.float64)
    world_mm = np.tile(np.asarray(centre_world_mm, dtype=np.float64), (*shape, 1))
    world_mm[..., plane.right[0]] += plane.right[1] * mm_per_px * (columns - (shape[1] - 1) / 2)
    world_mm[..., plane.down[0]] += plane.down[1] * mm_per_px * (rows - (shape[0] - 1) / 2)
    return world_mm
