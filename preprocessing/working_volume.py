"""`WorkingVolume`: the upright grid around the lungs on which networks run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.volume import apply_affine

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

OUTSIDE, RIGHT_LUNG, LEFT_LUNG = 0, 1, 2
"""Values of `lung_labels`; right and left are the patient's."""


@dataclass(frozen=True, slots=True, eq=False)
class WorkingVolume:
    """The box around the lungs, upright (x to the left, y to the back, z to the head).

    Only flips and swaps of axes make it upright: an oblique series keeps its residual rotation in
    `affine`.

    Attributes:
        hu: int16, ``[z, y, x]``.
        lung_labels: uint8, same shape: `OUTSIDE`, `RIGHT_LUNG`, `LEFT_LUNG`.
        search_mask: bool, same shape: where a finding is possible. It contains the lungs and what
            a mass may have replaced (pleura, hilum, a collapsed or fluid-filled part).
        affine: 4 x 4 float64, maps (x, y, z) indices to LPS mm.
    """

    hu: NDArray[np.int16]
    lung_labels: NDArray[np.uint8]
    search_mask: NDArray[np.bool_]
    affine: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance of voxel centres along x, y, z in mm, rounded to 1e-9."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).round(9).tolist()
        return x, y, z

    def world_mm(self, voxel_xyz: ArrayLike) -> NDArray[np.float64]:
        """Maps (x, y, z) indices, shape (..., 3), to LPS mm, shape (..., 3)."""
        return apply_affine(self.affine, voxel_xyz)

    def voxel_xyz(self, world_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps LPS mm, shape (..., 3), to fractional (x, y, z) indices, shape (..., 3)."""
        return apply_affine(np.linalg.inv(self.affine), world_mm)
