"""Samples typical places of nodules in the lungs: at the hilum, at the pleura, deep inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase

GRID_STEP_VOXELS = 4
"""Places are sampled from every fourth voxel of the working grid."""

GAP_MM = 5.0
"""Gap between an added nodule and known findings."""

HILUM_MM = 45.0
"""Distance from the point where a lung comes nearest to the other to the near side of a hilar
nodule: as far as the hilar squamous cell carcinomas of phantoms."""


class LungPlaces:
    """Places in a prepared series, as `data.phantom.nodules.placement` finds in a phantom.

    The hilum is taken to be the point of a lung nearest to the middle between both lungs. This
    holds in phantoms and in real chests; other features of a hilum are not used.

    Args:
        case: Series with its lungs and known findings.
    """

    def __init__(self, case: PreparedCase) -> None:
        volume = case.volume
        labels = np.asarray(volume.lung_labels[(slice(None, None, GRID_STEP_VOXELS),) * 3])
        step_mm = GRID_STEP_VOXELS * volume.spacing_mm[0]
        inside = np.argwhere(labels > 0)
        self._zyx = inside * float(GRID_STEP_VOXELS)
        self._mm = inside * step_mm
        self._depth_mm = ndimage.distance_transform_edt(labels > 0)[tuple(inside.T)] * step_mm
        self._side = labels[tuple(inside.T)]
        self._from_hilum_mm = self._hilum_distances_mm()
        self._voxel_mm = volume.spacing_mm[0]
        self._known = [
            (volume.voxel_xyz(finding.centre_world_mm)[::-1], finding.diameter_mm)
            for finding in case.findings
        ]

    def __bool__(self) -> bool:
        """Whether the series has lungs."""
        return len(self._zyx) > 0

    def sample(
        self, place: str, diameter_mm: float, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Samples a place for a nodule; the least bad one where there is no room.

        Args:
            place: Kind of place, one of `data.phantom.PLACES`.
            diameter_mm: Diameter of the nodule to add.
            rng: Source of all random choices.

        Returns:
            Fractional voxel (z, y, x).
        """
        radius = diameter_mm / 2
        error = self._error_mm(place, radius)
        for centre, known_mm in self._known:
            away = np.linalg.norm(self._zyx - centre, axis=1) * self._voxel_mm
            error = error + 10 * np.maximum(radius + known_mm / 2 + GAP_MM - away, 0)
        good = np.flatnonzero(error <= error.min() + 0.5)
        within = rng.uniform(-0.5, 0.5, 3) * GRID_STEP_VOXELS
        chosen: NDArray[np.float64] = self._zyx[good[int(rng.integers(len(good)))]] + within
        return chosen

    def _error_mm(self, place: str, radius: float) -> NDArray[np.float64]:
        """How far each point is from a suitable place, in mm; 0 where it is one."""
        depth = self._depth_mm
        from_hilum = self._from_hilum_mm - (0.75 * radius + HILUM_MM)
        error: NDArray[np.float64]
        if place == "hilar":
            error = np.maximum(from_hilum, 0) + np.maximum(0.35 * radius - depth, 0)
        elif place == "pleura":
            deep = max(1.5, 0.8 * radius if radius > 3 else 1.2 * radius + 0.8)
            off = np.maximum(0.45 * radius - depth, depth - deep)
            error = np.maximum(off, 0) + np.maximum(-from_hilum, 0)
        else:
            error = np.maximum(radius + 2.5 - depth, 0)
        return error

    def _hilum_distances_mm(self) -> NDArray[np.float64]:
        """Distance of each point from the hilum of its lung."""
        sides = np.unique(self._side)
        if not len(sides):
            return np.zeros(0)
        middle = np.mean([self._mm[self._side == side].mean(axis=0) for side in sides], axis=0)
        away = np.empty(len(self._mm))
        for side in sides:
            own = self._mm[self._side == side]
            hilum = own[np.linalg.norm(own - middle, axis=1).argmin()]
            away[self._side == side] = np.linalg.norm(own - hilum, axis=1)
        return away
