"""Cubes cut from prepared series, with what is known to lie in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.augmentation.sites import cut_cube, edge_site_in, site_in
from hounsfield.models.training.detector.targets import CropNodule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.training.augmentation.sites import Site

BORDER_VOXELS = 4
"""Nodules are not put nearer than this to the border of a crop."""


@dataclass(slots=True, eq=False)
class Crop:
    """A cube at 1 mm that nodules are put into.

    Attributes:
        hu: float32, ``[z, y, x]``.
        lung: bool, same shape.
        nodules: In voxels of the cube; also those that reach in from outside.
    """

    hu: NDArray[np.float32]
    lung: NDArray[np.bool_]
    nodules: list[CropNodule]

    def free_site(
        self, rng: np.random.Generator, *, edge: bool, room: int, diameter_mm: float
    ) -> NDArray[np.float64] | None:
        """A voxel of the lung, or of its edge, clear of every nodule; None where there is none.

        Args:
            rng: Decides.
            edge: Whether it is at the lung's edge.
            room: How many voxels from the border inwards no site is looked for.
            diameter_mm: Of what shall be put there.
        """
        inner = self.lung[(slice(room, -room),) * 3]
        for _ in range(4):
            found = edge_site_in(inner, rng) if edge else site_in(inner, rng)
            if found is None:
                return None
            site = (found + room).astype(np.float64)
            if self.is_clear(site, diameter_mm):
                return site
        return None

    def is_clear(self, site_zyx: NDArray[np.float64], diameter_mm: float) -> bool:
        """Whether a nodule at the site would stay off all others."""
        return all(
            np.linalg.norm(site_zyx - nodule.centre_zyx)
            > (diameter_mm + nodule.diameter_mm) / 2 + 2
            for nodule in self.nodules
        )


class Background:
    """A prepared case as a source of crops."""

    def __init__(self, case: PreparedCase) -> None:
        volume = case.volume
        self._volume = volume
        self._known = [
            CropNodule.at(
                volume.voxel_xyz(finding.centre_world_mm)[::-1],
                finding.diameter_mm / volume.spacing_mm[0],
                ignored=finding.ignored,
            )
            for finding in case.findings
        ]
        self._nodules = [nodule for nodule in self._known if not nodule.ignored]
        listed = case.candidates
        self._empty = None if listed is None else listed[listed[:, 3] == 0, :3]

    @property
    def has_nodules(self) -> bool:
        """Whether the case holds nodules of its own."""
        return bool(self._nodules)

    @property
    def has_false_candidates(self) -> bool:
        """Whether its data set lists places that look like nodules and are none."""
        return self._empty is not None and len(self._empty) > 0

    def nodule(self, rng: np.random.Generator) -> CropNodule:
        """One of its own nodules, in voxels of the case."""
        return self._nodules[int(rng.integers(len(self._nodules)))]

    def nodule_site(self, rng: np.random.Generator, shift: int) -> Site:
        """A voxel up to `shift` away from one of its own nodules along each axis."""
        nodule = self.nodule(rng)
        moved: Site = np.rint(nodule.centre_zyx).astype(np.int64) + rng.integers(
            -shift, shift + 1, size=3
        )
        return moved

    def false_candidate_site(self, rng: np.random.Generator) -> Site:
        """The voxel of a place that looks like a nodule and is none."""
        assert self._empty is not None
        world = self._empty[int(rng.integers(len(self._empty)))]
        site: Site = np.rint(self._volume.voxel_xyz(world)[::-1]).astype(np.int64)
        return site

    def lung_site(self, rng: np.random.Generator) -> Site:
        """Any voxel of the lungs; of the whole box where there are none."""
        return self._site(self._volume.lung_labels, rng)

    def edge_site(self, rng: np.random.Generator) -> Site:
        """A voxel of the lungs beside what is none; any of the box where there are no lungs."""
        site = edge_site_in(self._volume.lung_labels, rng)
        return rng.integers(self._volume.hu.shape) if site is None else site

    def search_site(self, rng: np.random.Generator) -> Site:
        """Any voxel where a finding is looked for."""
        return self._site(self._volume.search_mask, rng)

    def cut(self, centre: Site, size: int) -> Crop:
        """The cube around a voxel, air beyond the volume."""
        start = centre - size // 2
        lung = cut_cube(self._volume.lung_labels, start, size, outside=0) > 0
        moved = (
            CropNodule.at(
                np.subtract(nodule.centre_zyx, start), nodule.diameter_mm, ignored=nodule.ignored
            )
            for nodule in self._known
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
