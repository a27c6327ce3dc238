"""`NoduleClassifier`: four class probabilities for each candidate, and what speaks for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from hounsfield.models.contracts import ActivationMap, Classification, NoduleClass
from hounsfield.models.inference.out_of_distribution import strangeness
from hounsfield.models.views.close_and_wide import VIEW_SPACINGS_MM, VIEW_VOXELS, nodule_views
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.contracts import Candidate
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

BATCH = 8

Flips = Literal[1, 2, 4]
"""How many times the classifier looks at a candidate; see `FLIPPED_AXES`."""

FLIPPED_AXES: tuple[tuple[int, ...], ...] = ((), (2,), (1,), (1, 2))
"""Axes of a view, of (z, y, x): as it is, left and right changed, front and back, and both."""


class NoduleClassifier:
    """Runs the class network over both views of each candidate.

    Args:
        manifest: Tells HU window and calibration.
        network: A `ClassNet` in any runtime.
        flips: The mean is taken over so many of `FLIPPED_AXES`.
    """

    def __init__(self, manifest: Manifest, network: Network, *, flips: Flips = 1) -> None:
        self._manifest = manifest
        self._network = network
        self._flips = FLIPPED_AXES[:flips]

    def classify(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> list[Classification]:
        """Returns what is said of each candidate, with the evidence in the close view."""
        answers: list[Classification] = []
        for first in range(0, len(candidates), BATCH):
            part = candidates[first : first + BATCH]
            views = [
                nodule_views(
                    volume.hu,
                    volume.spacing_mm,
                    volume.voxel_xyz(candidate.centre_world_mm)[::-1].tolist(),
                )
                for candidate in part
            ]
            seen = normalise_hu(np.stack(views), self._manifest.hu_window)
            maps = self._evidence(seen)
            logits = maps.mean((3, 4, 5)).sum(1) + self._manifest.calibration.class_intercepts
            rows = special.softmax(logits, axis=1).tolist()
            strange = self._strange(seen)
            for candidate, evidence, (a, b, c, d), unlike in zip(
                part, maps[:, 0], rows, strange, strict=True
            ):
                why = ActivationMap(
                    # What all classes have in common changes no probability.
                    evidence - evidence.mean(axis=0),
                    self._affine(volume, candidate.centre_world_mm, cells=evidence.shape[-1]),
                )
                answers.append(Classification((a, b, c, d), unlike, why))
        return answers

    def _evidence(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated evidence ``[n, views, class, z, y, x]``; its means, summed, are logits."""
        looks = []
        for axes in self._flips:
            turned = np.flip(seen, tuple(2 + axis for axis in axes))
            maps = self._network(np.ascontiguousarray(turned))[:, :, : len(NoduleClass)]
            looks.append(np.flip(maps, tuple(3 + axis for axis in axes)))
        slope = np.float32(self._manifest.calibration.slope)
        calibrated: NDArray[np.float32] = np.mean(looks, axis=0) * slope
        return calibrated

    def _affine(
        self, volume: WorkingVolume, centre_world_mm: tuple[float, float, float], *, cells: int
    ) -> NDArray[np.float64]:
        """From (x, y, z) indices of the close view's cells to LPS mm.

        Cell i lies at voxel s x i of the view, s the stride: the cells stand (s - 1) / 2 voxels
        off its middle. Flipped they stand as much to the other side, and between both on average.
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

    def _strange(self, views: NDArray[np.float32]) -> list[bool]:
        """Whether each view is unlike those of the training."""
        familiarity = self._manifest.familiarity
        if familiarity is None:
            return [False] * len(views)
        return [float(one) > familiarity.limit for one in strangeness(views, familiarity)]
