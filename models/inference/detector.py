"""`HeatmapDetector`: candidates from the heat-map of a `CentreNet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.calibration import logistic_score
from hounsfield.models.findings import Candidate
from hounsfield.models.networks.centre_heatmap import SIZE_DIVISOR, decode_cells, find_peaks
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

MAX_CANDIDATES = 100
"""The LUNA16 protocol reads no more predictions per scan."""

DIAMETER_RANGE_MM = (2.0, 100.0)
"""The range of the training data; the network's sizes outside it are meaningless."""

MIN_LOGIT = -4.0
"""Cells below this, a score of 0.018 before calibration, are not searched for peaks."""


class HeatmapDetector:
    """Runs the network once over the lung box and reads peaks inside the search mask.

    Args:
        manifest: Provides HU window and calibration.
        network: A `CentreNet` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        """Returns at most `MAX_CANDIDATES` candidates, best score first."""
        image = normalise_hu(volume.hu, self._manifest.hu_window)
        padded = np.pad(image, [(0, -size % SIZE_DIVISOR) for size in image.shape])
        output = self._network(padded[None, None])[0]
        cells, logits = find_peaks(output, volume.search_mask, min_logit=MIN_LOGIT)
        centres_zyx, diameters_mm = decode_cells(output, cells, diameter_range_mm=DIAMETER_RANGE_MM)
        kept = _suppress(centres_zyx * volume.spacing_mm[::-1], diameters_mm)[:MAX_CANDIDATES]
        scores = logistic_score(logits, self._manifest.calibration)
        world = volume.world_mm(centres_zyx[:, ::-1])
        return [
            Candidate(
                (float(world[i, 0]), float(world[i, 1]), float(world[i, 2])),
                float(diameters_mm[i]),
                float(scores[i]),
            )
            for i in kept
        ]


def _suppress(centres_mm: NDArray[np.float64], diameters_mm: NDArray[np.float64]) -> list[int]:
    """Drops each candidate, best first, whose centre is within the radius of a better one."""
    kept: list[int] = []
    for i in range(len(diameters_mm)):
        away_mm = np.linalg.norm(centres_mm[kept] - centres_mm[i], axis=1)
        if not np.any(away_mm < np.maximum(diameters_mm[kept], diameters_mm[i]) / 2):
            kept.append(i)
    return kept
