"""`NoduleClassifier`: four class probabilities for each candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from models.contracts import Classification
from models.familiarity import strangeness
from models.nodule_views import nodule_views
from preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
    ) -> list[Classification]:
        """Returns what is said of each candidate."""
        answers: list[Classification] = []
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
            seen = normalise_hu(views, self._manifest.hu_window)
            scaled = self._network(seen) * self._manifest.calibration.slope
            rows = special.softmax(scaled, axis=1).tolist()
            for (a, b, c, d), strange in zip(rows, self._strange(seen), strict=True):
                answers.append(Classification((a, b, c, d), strange))
        return answers

    def _strange(self, views: NDArray[np.float32]) -> list[bool]:
        """Whether each view is unlike those of the training."""
        familiarity = self._manifest.familiarity
        if familiarity is None:
            return [False] * len(views)
        return [float(one) > familiarity.limit for one in strangeness(views, familiarity)]
