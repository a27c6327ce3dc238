"""`HeatmapDetector`: candidates read off the heat-map of a `CentreNet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, special

from hounsfield.models.contracts import Candidate
from hounsfield.models.networks.centre_heatmap import (
    HEAT,
    LOG_DIAMETER,
    OFFSET,
    REFERENCE_DIAMETER_MM,
    SIZE_DIVISOR,
    STRIDE,
)
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

MAX_CANDIDATES = 100
"""As many marks a scan as the LUNA16 protocol reads."""

DIAMETER_RANGE_MM = (2.0, 100.0)
"""Sizes that were trained on; what the network gives beyond them means nothing."""

LOWEST_LOGIT = -4.0
"""Peaks below this are never looked at: a score of 0.018 before calibration."""


class HeatmapDetector:
    """Runs the network once over the lung box and reads peaks where a finding may lie.

    Args:
        manifest: Tells HU window and calibration.
        network: A `CentreNet` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        """Returns at most `MAX_CANDIDATES`, best score first."""
        marks = self._marks(volume)
        cells, logits = _peaks(marks, volume.search_mask)
        centres_zyx, diameters = _decode(marks, cells)
        kept = _suppress(centres_zyx * volume.spacing_mm[::-1], diameters, logits)[:MAX_CANDIDATES]
        calibration = self._manifest.calibration
        scores = special.expit(calibration.slope * logits + calibration.intercept)
        world = volume.world_mm(centres_zyx[:, ::-1])
        return [
            Candidate(
                (float(world[i, 0]), float(world[i, 1]), float(world[i, 2])),
                float(diameters[i]),
                float(scores[i]),
            )
            for i in kept
        ]

    def _marks(self, volume: WorkingVolume) -> NDArray[np.float32]:
        """The network's output, float32 ``[5, z, y, x]``."""
        image = normalise_hu(volume.hu, self._manifest.hu_window)
        padded = np.pad(image, [(0, -size % SIZE_DIVISOR) for size in image.shape])
        marks: NDArray[np.float32] = self._network(padded[None, None])[0]
        return marks


def _peaks(
    marks: NDArray[np.float32], search_mask: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Cells (n, 3) that are local maxima inside the search mask, best first, and their logits."""
    heat = marks[HEAT]
    peak = (ndimage.maximum_filter(heat, size=3) == heat) & (heat > LOWEST_LOGIT)
    cells = np.argwhere(peak)
    voxel = np.minimum(cells * STRIDE + STRIDE // 2, np.subtract(search_mask.shape, 1))
    cells = cells[search_mask[tuple(voxel.T)]]
    logits = heat[tuple(cells.T)]
    order = np.argsort(-logits, kind="stable")
    return cells[order], logits[order]


def _decode(
    marks: NDArray[np.float32], cells: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (n, 3) in voxels of the working volume (z, y, x), and diameters in mm."""
    at = tuple(cells.T)
    offset = np.clip(marks[OFFSET][:, *at].T, -2.0, 2.0)
    centres = (cells + offset + 0.5) * STRIDE - 0.5
    diameters = REFERENCE_DIAMETER_MM * np.exp(marks[LOG_DIAMETER][at].astype(np.float64))
    return centres.astype(np.float64), np.clip(diameters, *DIAMETER_RANGE_MM)


def _suppress(
    centres_mm: NDArray[np.float64], diameters: NDArray[np.float64], logits: NDArray[np.float32]
) -> list[int]:
    """Of marks that lie within one another's radius, the better is kept."""
    kept: list[int] = []
    for i in range(len(logits)):
        off = np.linalg.norm(centres_mm[kept] - centres_mm[i], axis=1)
        if not np.any(off < np.maximum(diameters[kept], diameters[i]) / 2):
            kept.append(i)
    return kept
