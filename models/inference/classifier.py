"""`NoduleClassifier`: class probabilities and class activation maps of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from hounsfield.models.calibration import class_probabilities
from hounsfield.models.findings import ActivationMap, Classification, NoduleClass
from hounsfield.models.inference.out_of_distribution import mahalanobis_distances
from hounsfield.models.views.close_and_wide import VIEW_SPACINGS_MM, VIEW_VOXELS, nodule_views
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.findings import Candidate, WorldPoint
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

BATCH = 8

Flips = Literal[1, 2, 4]
"""Number of `FLIPPED_AXES` over which the classifier averages."""

FLIPPED_AXES: tuple[tuple[int, ...], ...] = ((), (2,), (1,), (1, 2))
"""Axes of a view, of (z, y, x): unchanged, left-right, front-back, and both."""


class NoduleClassifier:
    """Runs the class network over a close and a wide view of each candidate.

    Args:
        manifest: Provides HU window, calibration and training distribution.
        network: A `ClassNet` in any runtime.
        flips: Number of `FLIPPED_AXES` to average over (test-time augmentation).
    """

    def __init__(self, manifest: Manifest, network: Network, *, flips: Flips = 1) -> None:
        self._manifest = manifest
        self._network = network
        self._flips = FLIPPED_AXES[:flips]

    def classify(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> list[Classification]:
        """Returns the classification of each candidate, with the activation map of its close view.

        Args:
            volume: The series on the working grid.
            candidates: Places inside the volume; their sizes and scores are not used.
        """
        classifications: list[Classification] = []
        for first in range(0, len(candidates), BATCH):
            batch = candidates[first : first + BATCH]
            views = [
                nodule_views(
                    volume.hu,
                    volume.spacing_mm,
                    volume.voxel_xyz(candidate.centre_world_mm)[::-1].tolist(),
                )
                for candidate in batch
            ]
            images = normalise_hu(np.stack(views), self._manifest.hu_window)
            maps = self._activation_maps(images)
            logits = maps.mean((3, 4, 5)).sum(1)
            rows = class_probabilities(logits, self._manifest.calibration).tolist()
            outside = self._out_of_distribution(images)
            for candidate, close, (a, b, c, d), is_outside in zip(
                batch, maps[:, 0], rows, outside, strict=True
            ):
                activation_map = ActivationMap(
                    # What all classes have in common changes no probability.
                    close - close.mean(axis=0),
                    self._affine(volume, candidate.centre_world_mm, cells=close.shape[-1]),
                )
                classifications.append(Classification((a, b, c, d), is_outside, activation_map))
        return classifications

    def _activation_maps(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated maps ``[n, views, class, z, y, x]``: the sum of their means is the logit."""
        unflipped = []
        for axes in self._flips:
            flipped = np.flip(images, tuple(2 + axis for axis in axes))
            maps = self._network(np.ascontiguousarray(flipped))[:, :, : len(NoduleClass)]
            unflipped.append(np.flip(maps, tuple(3 + axis for axis in axes)))
        slope = np.float32(self._manifest.calibration.slope)
        calibrated: NDArray[np.float32] = np.mean(unflipped, axis=0) * slope
        return calibrated

    def _affine(
        self, volume: WorkingVolume, centre_world_mm: WorldPoint, *, cells: int
    ) -> NDArray[np.float64]:
        """From (x, y, z) indices of the close view's cells to LPS mm.

        With a stride of s, cell i lies at voxel s x i of the view: the cells are (s - 1) / 2 voxels
        off its middle. In a flipped view they are off to the other side, and the mean over both is
        centred.
        """
        stride = VIEW_VOXELS / cells
        first = np.array(
            [
                (stride - 1) / 2 if any(axis in axes for axes in self._flips) else 0.0
                for axis in (2, 1, 0)
            ]
        )
        steps = volume.affine[:3, :3] / volume.spacing_mm * VIEW_SPACINGS_MM[0]
        affine = np.eye(4)
        affine[:3, :3] = steps * stride
        affine[:3, 3] = centre_world_mm + steps @ (first - (VIEW_VOXELS - 1) / 2)
        return affine

    def _out_of_distribution(self, images: NDArray[np.float32]) -> list[bool]:
        distribution = self._manifest.training_distribution
        if distribution is None:
            return [False] * len(images)
        distances: list[float] = mahalanobis_distances(images, distribution).tolist()
        return [distance > distribution.max_distance for distance in distances]
