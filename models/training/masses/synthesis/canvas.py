"""A chest on which masses and other opacities are painted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.training.masses.synthesis.fields import Field
    from hounsfield.models.training.masses.synthesis.sites import Contact, Surface

MASS, IGNORED = 1, 255
"""Labels of voxels in a mass, and of voxels that count neither as mass nor as empty; others are
0."""

DENSE_HU, AIRWAY_HU = 220, -850
"""Bone and enhanced vessels are above the first, air in trachea and bronchi below the second."""


@dataclass(frozen=True, slots=True)
class SyntheticMass:
    """Ground truth of one mass.

    Attributes:
        centre_zyx: Centre of mass, fractional indices of the chest.
        diameter_mm: Diameter of the sphere of the same volume.
        long_axis_mm: Long axis of the ellipsoid with the same second moments.
        contact: The structure that it touches.
        aerated_fraction: Fraction of it that was aerated lung before.
    """

    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    long_axis_mm: float
    contact: Contact
    aerated_fraction: float


@dataclass(slots=True, eq=False)
class Canvas:
    """A chest that is being painted on.

    Attributes:
        hu: float32 ``[z, y, x]``.
        lungs: uint8, same shape: 1 in the right lung, 2 in the left.
        labels: uint8, same shape: 0, `MASS` or `IGNORED`.
        surface: Surface of the lungs before anything was painted.
        masses: The masses inserted so far.
    """

    hu: Field
    lungs: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    surface: Surface
    masses: list[SyntheticMass] = field(default_factory=list)

    def paint(self, box: tuple[slice, ...], fraction: Field, tissue_hu: Field | float) -> None:
        """Replaces a fraction of each voxel of a box by tissue.

        Args:
            box: Part of the chest, slices (z, y, x).
            fraction: Fraction of each voxel of the box that is replaced, 0 to 1.
            tissue_hu: HU of the tissue, one value or one for each voxel of the box.
        """
        part = self.hu[box]
        part += fraction * (np.asarray(tissue_hu, np.float32) - part)

    def paint_unless_bone(
        self, box: tuple[slice, ...], fraction: Field, tissue_hu: Field | float
    ) -> None:
        """Paints as `paint` does, except on bone, enhanced vessels, trachea and bronchi.

        Args:
            box: Part of the chest, slices (z, y, x).
            fraction: Fraction of each voxel of the box that is replaced, 0 to 1.
            tissue_hu: HU of the tissue, one value or one for each voxel of the box.
        """
        here = self.hu[box]
        free = (here < DENSE_HU) & ((here > AIRWAY_HU) | (self.lungs[box] > 0))
        self.paint(box, (fraction * free).astype(np.float32), tissue_hu)

    def ignore(self, box: tuple[slice, ...], where: NDArray[np.bool_]) -> None:
        """Labels voxels as `IGNORED` unless they have a label.

        Args:
            box: Part of the chest, slices (z, y, x).
            where: bool ``[z, y, x]``, the voxels of the box to label.
        """
        labels = self.labels[box]
        labels[where & (labels == 0)] = IGNORED

    def frame(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Returns the first voxel and the size of the box around both lungs, (z, y, x)."""
        points = np.argwhere(self.lungs[::2, ::2, ::2]) * 2
        if not len(points):
            return np.zeros(3), np.array(self.hu.shape, float)
        low, high = points.min(axis=0), points.max(axis=0)
        return low.astype(np.float64), (high - low + 1).astype(np.float64)
