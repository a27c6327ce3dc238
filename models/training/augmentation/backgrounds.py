"""Cubes cut from prepared series, with the known findings in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.augmentation.crop import Crop, CropNodule
from hounsfield.models.training.augmentation.sites import cut_cube, edge_site_in, site_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.training.augmentation.sites import Site


class Background:
    """A prepared case as a source of crops.

    Args:
        case: Series at 1 mm with its findings, and the candidates its data set lists.
    """

    def __init__(self, case: PreparedCase) -> None:
        volume = case.volume
        self._volume = volume
        self._findings = [
            CropNodule.at(
                volume.voxel_xyz(finding.centre_world_mm)[::-1],
                finding.diameter_mm / volume.spacing_mm[0],
                ignored=finding.ignored,
            )
            for finding in case.findings
        ]
        self._nodules = [nodule for nodule in self._findings if not nodule.ignored]
        listed = case.candidates
        self._false_candidates = None if listed is None else listed[listed[:, 3] == 0, :3]

    @property
    def has_nodules(self) -> bool:
        """Whether the case has nodules of its own."""
        return bool(self._nodules)

    @property
    def has_false_candidates(self) -> bool:
        """Whether the data set lists places in it that resemble a nodule and are none."""
        return self._false_candidates is not None and len(self._false_candidates) > 0

    def nodule(self, rng: np.random.Generator) -> CropNodule:
        """Samples one of the case's own nodules, in voxels of the case."""
        return self._nodules[int(rng.integers(len(self._nodules)))]

    def nodule_site(self, rng: np.random.Generator, shift: int) -> Site:
        """Samples a voxel near one of the case's own nodules.

        Args:
            rng: Source of all random choices.
            shift: Largest distance from the nodule's centre along each axis, in voxels.

        Returns:
            Voxel (z, y, x).
        """
        nodule = self.nodule(rng)
        moved: Site = np.rint(nodule.centre_zyx).astype(np.int64) + rng.integers(
            -shift, shift + 1, size=3
        )
        return moved

    def false_candidate_site(self, rng: np.random.Generator) -> Site:
        """Samples the voxel of a place that resembles a nodule and is none."""
        assert self._false_candidates is not None
        world = self._false_candidates[int(rng.integers(len(self._false_candidates)))]
        site: Site = np.rint(self._volume.voxel_xyz(world)[::-1]).astype(np.int64)
        return site

    def lung_site(self, rng: np.random.Generator) -> Site:
        """Samples any voxel of the lungs; of the whole volume where there are none."""
        return self._site(self._volume.lung_labels, rng)

    def edge_site(self, rng: np.random.Generator) -> Site:
        """Samples a voxel at the edge of the lungs; any voxel where there are no lungs."""
        site = edge_site_in(self._volume.lung_labels, rng)
        return rng.integers(self._volume.hu.shape) if site is None else site

    def search_site(self, rng: np.random.Generator) -> Site:
        """Samples any voxel of the search mask."""
        return self._site(self._volume.search_mask, rng)

    def cut(self, centre: Site, size: int) -> Crop:
        """Cuts the cube around a voxel.

        Args:
            centre: Voxel (z, y, x) of the case.
            size: Edge of the cube in voxels.

        Returns:
            The cube, with air beyond the volume.
        """
        start = centre - size // 2
        lung = cut_cube(self._volume.lung_labels, start, size, outside=0) > 0
        moved = (
            CropNodule.at(
                np.subtract(nodule.centre_zyx, start), nodule.diameter_mm, ignored=nodule.ignored
            )
            for nodule in self._findings
        )
        near = [nodule for nodule in moved if _reaches(nodule, size)]
        return Crop(cut_cube(self._volume.hu, start, size), lung, near)

    def _site(self, mask: NDArray[np.generic], rng: np.random.Generator) -> Site:
        site = site_in(mask, rng)
        return rng.integers(mask.shape) if site is None else site


def _reaches(nodule: CropNodule, size: int) -> bool:
    """Whether any part of a nodule may lie in a cube."""
    radius = nodule.diameter_mm / 2
    return all(-radius < c < size + radius for c in nodule.centre_zyx)
