"""`MalignancyRater`: the probability that radiologists would rate a nodule as suspicious."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.calibration import logistic_score
from hounsfield.models.views.rating import (
    SUSPICION_OUTPUTS,
    network_input,
    rating_view,
    resample_nodule,
)
from hounsfield.preprocessing.parallel import thread_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.findings import Candidate
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.models.views.rating import ResampledNodule
    from hounsfield.preprocessing.volume import Volume

BATCH = 8

FLIPPED_AXES = ((), (4,), (3,), (3, 4))
"""Axes of a batch; the logits are averaged over all four flips (test-time augmentation)."""


class MalignancyRater:
    """Runs the rating network over each segmented nodule.

    The result is the probability that the median of the radiologists' ratings is 4 or 5 rather
    than 1 or 2 (LIDC-IDRI's scale of suspicion): their rating, not pathology.

    Args:
        manifest: Provides HU window and calibration.
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
        """Returns the calibrated probability of each candidate; None where it has no segmentation.

        Args:
            volume: The series, upright; its axial slices are the planes of the first axis.
            candidates: Nodules to rate; only their number is used.
            outlines: Segmentation of each candidate on the same grid, preferably reader-style.

        Raises:
            ValueError: The numbers of candidates and segmentations differ.
        """
        if len(candidates) != len(outlines):
            msg = (
                "there must be one segmentation per candidate, got "
                f"{len(outlines)} for {len(candidates)}"
            )
            raise ValueError(msg)
        nodules = thread_map(
            lambda outline: resample_nodule(volume, outline) if outline else None, outlines
        )
        calibration = self._manifest.calibration
        return [
            None if logit is None else float(logistic_score(np.asarray(logit), calibration))
            for logit in self.logits(nodules)
        ]

    def logits(self, nodules: Sequence[ResampledNodule | None]) -> list[float | None]:
        """Returns the uncalibrated logits; None where no voxel is at least half nodule.

        Args:
            nodules: Nodules on the grid of the rating views; None where there is no segmentation.
        """
        hu_window = self._manifest.hu_window
        views = thread_map(lambda nodule: rating_view(nodule) if nodule else None, nodules)
        images = [network_input(view, hu_window) for view in views if view is not None]
        logits = iter(_averaged_logits(self._network, images))
        return [None if view is None else next(logits) for view in views]


def _averaged_logits(network: Network, images: Sequence[NDArray[np.float32]]) -> list[float]:
    logits: list[float] = []
    for first in range(0, len(images), BATCH):
        batch = np.stack(images[first : first + BATCH])
        flipped = [
            network(np.ascontiguousarray(np.flip(batch, axes)))[:, :SUSPICION_OUTPUTS].mean(axis=1)
            for axes in FLIPPED_AXES
        ]
        logits += np.mean(flipped, axis=0).tolist()
    return logits
