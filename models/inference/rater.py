"""`MalignancyRater`: how likely radiologists would call each nodule suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from hounsfield.models.views.rating import SUSPICIOUS, network_input, outlined_nodule, rating_view
from hounsfield.preprocessing.parallel import thread_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.contracts import Candidate, Segmentation
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.models.views.rating import OutlinedNodule
    from hounsfield.preprocessing.volume import Volume

BATCH = 8

FLIPS = ((), (4,), (3,), (3, 4))
"""Axes of a batch that are turned over; the logits of all four are averaged."""


class MalignancyRater:
    """Runs the rating network over each outlined nodule.

    What it gives is the probability that the median of radiologists' ratings is 4 or 5 rather
    than 1 or 2 (LIDC-IDRI's scale of suspicion): their rating, not pathology.

    Args:
        manifest: Tells HU window and calibration.
        network: A `RateNet` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def rate(
        self,
        volume: Volume,
        candidates: Sequence[Candidate],
        outlines: Sequence[Segmentation | None],
    ) -> list[float | None]:
        """Returns the calibrated probability for each candidate; None where it has no outline.

        Args:
            volume: The native grid; its slices are the planes of the first axis.
            candidates: The nodules.
            outlines: Of each candidate, on the same grid, best as readers draw them.

        Raises:
            ValueError: There are not as many outlines as candidates.
        """
        if len(candidates) != len(outlines):
            msg = f"there must be an outline a candidate, got {len(outlines)}, {len(candidates)}"
            raise ValueError(msg)
        nodules = thread_map(
            lambda outline: outlined_nodule(volume, outline) if outline else None, outlines
        )
        calibration = self._manifest.calibration
        return [
            None
            if logit is None
            else float(special.expit(calibration.slope * logit + calibration.intercept))
            for logit in self.logits(nodules)
        ]

    def logits(self, nodules: Sequence[OutlinedNodule | None]) -> list[float | None]:
        """What the network answers before calibration; None where no voxel is half nodule."""
        hu_window = self._manifest.hu_window
        views = thread_map(lambda nodule: rating_view(nodule) if nodule else None, nodules)
        images = [network_input(view, hu_window) for view in views if view is not None]
        answers = iter(_averaged_logits(self._network, images))
        return [None if view is None else next(answers) for view in views]


def _averaged_logits(network: Network, images: Sequence[NDArray[np.float32]]) -> list[float]:
    answers: list[float] = []
    for first in range(0, len(images), BATCH):
        batch = np.stack(images[first : first + BATCH])
        turned = [
            network(np.ascontiguousarray(np.flip(batch, axes)))[:, :SUSPICIOUS].mean(axis=1)
            for axes in FLIPS
        ]
        answers += np.mean(turned, axis=0).tolist()
    return answers
