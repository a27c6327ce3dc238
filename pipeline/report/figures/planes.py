"""The planes of a picture: which directions of the patient grow to the right, and downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.report.figures.panel import Edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.contracts import WorldPoint

_WORLD_AXES = "xyz"


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane as radiologists look at it.

    Attributes:
        name: As radiologists call it.
        right: World axis that runs to the right, and its sign.
        down: World axis that runs downwards, and its sign.
        edges: The patient's directions at the picture's edges.
        normal: Name of the world axis that stands on it.
    """

    name: str
    right: tuple[int, int]
    down: tuple[int, int]
    edges: Edges
    normal: str

    def height_mm(self, place_world_mm: WorldPoint) -> float:
        """Where the plane through a place stands along its normal."""
        return place_world_mm[_WORLD_AXES.index(self.normal)]


AXIAL = Plane("axial", (0, 1), (1, 1), Edges("R", "L", "A", "P"), "z")
CORONAL = Plane("coronal", (0, 1), (2, -1), Edges("R", "L", "H", "F"), "y")
SAGITTAL = Plane("sagittal", (1, 1), (2, -1), Edges("A", "P", "H", "F"), "x")
FINDING_PLANES = (AXIAL, CORONAL, SAGITTAL)
"""Those in which a finding is shown, from left to right."""


def plane_world_mm(
    plane: Plane, centre_world_mm: WorldPoint, shape: tuple[int, int], mm_per_px: float
) -> NDArray[np.float64]:
    """Gives the place of each pixel of a plane whose middle is `centre_world_mm`.

    Returns:
        (x, y, z) in LPS mm, ``[row, column, 3]``.
    """
    rows, columns = np.indices(shape, dtype=np.float64)
    world_mm = np.tile(np.asarray(centre_world_mm, dtype=np.float64), (*shape, 1))
    world_mm[..., plane.right[0]] += plane.right[1] * mm_per_px * (columns - (shape[1] - 1) / 2)
    world_mm[..., plane.down[0]] += plane.down[1] * mm_per_px * (rows - (shape[0] - 1) / 2)
    return world_mm
