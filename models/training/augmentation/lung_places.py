"""Places in the lungs where nodules of a kind lie: at the hilum, at the pleura, deep inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase

COARSE_VOXELS = 4
"""Places are looked for on every fourth voxel of the working grid."""

GAP_MM = 5.0
"""Between what is put in and what is known to be there."""

HILUM_MM = 45.0
"""From where a lung comes nearest to the other to the near side of what lies at its hilum: so far
lie the squamous cell carcinomas that digital chests have there."""


class LungPlaces:
    """Where in a prepared series something may be put; `data.phantom.placement` for any series.

    A hilum is taken to be where a lung comes nearest to the middle between both. It is so in
    digital chests and in real ones; what else is at a hilum is not asked.

    Args:
        case: A series with lungs.
    """

    def __init__(self, case: PreparedCase) -> None:
        volume = case.volume
        labels = np.asarray(volume.lung_labels[(slice(None, None, COARSE_VOXELS),) * 3])
        step_mm = COARSE_VOXELS * volume.spacing_mm[0]
        inside = np.argwhere(labels > 0)
        self._zyx = inside * float(COARSE_VOXELS)
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
        """Whether there are any lungs."""
        return len(self._zyx) > 0

    def draw(self, place: str, diameter_mm: float, rng: np.random.Generator) -> NDArray[np.float64]:
        """A place for a nodule, in voxels (z, y, x); where there is no room, the best there is.

        Args:
            place: One of `data.phantom.PLACES`.
            diameter_mm: Of the nodule.
            rng: Decides among the places that will do.
        """
        radius = diameter_mm / 2
        wrong = self._wrong_mm(place, radius)
        for centre, known_mm in self._known:
            away = np.linalg.norm(self._zyx - centre, axis=1) * self._voxel_mm
            wrong = wrong + 10 * np.maximum(radius + known_mm / 2 + GAP_MM - away, 0)
        good = np.flatnonzero(wrong <= wrong.min() + 0.5)
        within = rng.uniform(-0.5, 0.5, 3) * COARSE_VOXELS
        chosen: NDArray[np.float64] = self._zyx[good[int(rng.integers(len(good)))]] + within
        return chosen

    def _wrong_mm(self, place: str, radius: float) -> NDArray[np.float64]:
        """How far each place is from being right; 0 where it is."""
        depth = self._depth_mm
        from_hilum = self._from_hilum_mm - (0.75 * radius + HILUM_MM)
        wrong: NDArray[np.float64]
        if place == "hilar":
            wrong = np.maximum(from_hilum, 0) + np.maximum(0.35 * radius - depth, 0)
        elif place == "pleura":
            deep = max(1.5, 0.8 * radius if radius > 3 else 1.2 * radius + 0.8)
            off = np.maximum(0.45 * radius - depth, depth - deep)
            wrong = np.maximum(off, 0) + np.maximum(-from_hilum, 0)
        else:
            wrong = np.maximum(radius + 2.5 - depth, 0)
        return wrong

    def _hilum_distances_mm(self) -> NDArray[np.float64]:
        """From each place to the hilum of its lung."""
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
