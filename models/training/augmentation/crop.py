"""A cube of a prepared volume, and the nodules in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.augmentation.sites import edge_site_in, site_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

SITE_ATTEMPTS = 4
"""Sites that are tried before a nodule is not added."""

NODULE_GAP_VOXELS = 2
"""Smallest gap between the surfaces of two nodules, in voxels."""


@dataclass(frozen=True, slots=True)
class CropNodule:
    """A nodule, or a sphere to ignore, in voxels of a crop at 1 mm."""

    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    ignored: bool = False

    @classmethod
    def at(
        cls, centre_zyx: NDArray[np.float64], diameter_mm: float, *, ignored: bool = False
    ) -> CropNodule:
        """Makes a nodule whose centre is an array.

        Args:
            centre_zyx: Centre in voxels of the crop, ``[3]``.
            diameter_mm: Diameter, in voxels of 1 mm.
            ignored: Whether the place counts neither as nodule nor as background.
        """
        z, y, x = centre_zyx.tolist()
        return cls((z, y, x), diameter_mm, ignored)


@dataclass(slots=True, eq=False)
class Crop:
    """A cube at 1 mm to which nodules are added.

    Attributes:
        hu: float32, ``[z, y, x]``.
        lung: bool, same shape.
        nodules: In voxels of the cube; also those that reach in from outside.
    """

    hu: NDArray[np.float32]
    lung: NDArray[np.bool_]
    nodules: list[CropNodule]

    def free_site(
        self, rng: np.random.Generator, *, edge: bool, margin: int, diameter_mm: float
    ) -> NDArray[np.float64] | None:
        """Samples a voxel of the lung, or of its edge, clear of every nodule.

        Args:
            rng: Source of all random choices.
            edge: Whether the site lies at the lung's edge.
            margin: Voxels along each face of the cube where no site is chosen.
            diameter_mm: Diameter of what is to be put there.

        Returns:
            Voxel (z, y, x); None where none was clear.
        """
        inner = self.lung[(slice(margin, -margin),) * 3]
        for _ in range(SITE_ATTEMPTS):
            inner_site = edge_site_in(inner, rng) if edge else site_in(inner, rng)
            if inner_site is None:
                return None
            site = (inner_site + margin).astype(np.float64)
            if self.is_clear(site, diameter_mm):
                return site
        return None

    def is_clear(self, site_zyx: NDArray[np.float64], diameter_mm: float) -> bool:
        """Whether a nodule at a site would stay clear of all others.

        Args:
            site_zyx: Centre in voxels of the cube, ``[3]``.
            diameter_mm: Diameter of the nodule to add.
        """
        return all(
            np.linalg.norm(site_zyx - nodule.centre_zyx)
            > (diameter_mm + nodule.diameter_mm) / 2 + NODULE_GAP_VOXELS
            for nodule in self.nodules
        )
