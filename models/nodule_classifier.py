"""`NoduleClassifier`: four class probabilities for each candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from scipy import special

from models.networks.class_net import class_net
from models.nodule_views import nodule_views
from preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.contracts import Candidate
    from models.manifest import Manifest
    from preprocessing.working_volume import WorkingVolume

BATCH = 8


class NoduleClassifier:
    """Runs the class network over both views of each candidate.

    Args:
        manifest: Tells the network's sizes, HU window and calibration.
        weights: The safetensors file's bytes.
        threads: Processor threads.
    """

    def __init__(self, manifest: Manifest, weights: bytes, *, threads: int) -> None:
        self._manifest = manifest
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(threads)
        network = class_net(**manifest.network)
        network.load_state_dict(load(weights))  # widens 16-bit kernels
        self._network = network.eval().to(self._device)

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
            image = torch.from_numpy(normalise_hu(views, self._manifest.hu_window))
            with torch.inference_mode():
                logits = self._network(image.to(self._device))
            scaled = logits.float().cpu().numpy() * self._manifest.calibration.slope
            for a, b, c, d in special.softmax(scaled, axis=1).tolist():
                rows.append((a, b, c, d))
        return rows
