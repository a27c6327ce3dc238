"""`NoduleClassifier`: four class probabilities for each candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from models.nodule_views import nodule_views
from preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.contracts import Candidate
    from models.manifest import Manifest
    from models.runtimes import Network
    from preprocessing.working_volume import WorkingVolume

BATCH = 8


class NoduleClassifier:
    """Runs the class network over both views of each candidate.

    Args:
        manifest: Tells HU window and calibration.
        network: A `class_net` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def classify(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> list[tuple[float, float, float, float]]:
        """Returns calibrated probabilities in the order of `NoduleClass`, one row a candidate."""
        rows: list[tuple[float, float, float, float]] = []
        for first in range(0, len(candidates), BATCH):
            views = np.stack(
                [
                    nodule_views(
                        volume.hu,
                        volume.spacing_mm,
                        volume.voxel_xyz(candidate.centre_world_mm)[::-1].tolist(),
                    )
                    for candidate in candidates[first : first + BATCH]
                ]
            )
            logits = self._network(normalise_hu(views, self._manifest.hu_window))
            scaled = logits * self._manifest.calibration.slope
            for a, b, c, d in special.softmax(scaled, axis=1).tolist():
                rows.append((a, b, c, d))
        return rows
