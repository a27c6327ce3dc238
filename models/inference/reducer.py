"""`CandidateReducer`: rescores a detector's best candidates to remove false positives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.calibration import clipped_logit, joint_scores
from hounsfield.models.views.close_and_wide import nodule_views
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.findings import Candidate
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

MAX_REDUCED_CANDIDATES = 50
"""Candidates per series, by the detector's score. The others rank below all of these."""

VIEW_VOXELS = 32
VIEW_SPACINGS_MM = (1.0, 2.5)
"""Close view of 32 mm: margin and texture. Wide view of 80 mm: airways, chest wall, a mass."""

BATCH = 10
MIN_SCORE = 1e-6
"""Scores nearer to 0 or 1 are moved to this distance, so that their logits are finite."""


class CandidateReducer:
    """Runs the network over two views of each candidate and combines its logit with the detector's.

    Args:
        manifest: Provides HU window and calibration.
        network: A `ReduceNet` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def reduce(self, volume: WorkingVolume, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Returns every candidate with the combined score of both models, best score first.

        Args:
            volume: The series on the working grid, in which the candidates were detected.
            candidates: The detector's candidates in any order.
        """
        ordered = sorted(candidates, key=lambda candidate: -candidate.score)
        scores = joint_scores(self.logits(volume, ordered), self._manifest.calibration)
        rescored = [
            replace(candidate, score=score)
            for candidate, score in zip(ordered, scores.tolist(), strict=True)
        ]
        return sorted(rescored, key=lambda candidate: -candidate.score)

    def logits(self, volume: WorkingVolume, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """Returns the detector's and the network's logit of each candidate, ``[candidates, 2]``.

        Candidates beyond the best `MAX_REDUCED_CANDIDATES` get the lowest of the network's logits.

        Args:
            volume: The series on the working grid, in which the candidates were detected.
            candidates: The detector's candidates, best score first.
        """
        scores = np.array([candidate.score for candidate in candidates], np.float64)
        best = candidates[:MAX_REDUCED_CANDIDATES]
        network = np.zeros(len(candidates))
        for first in range(0, len(best), BATCH):
            batch = best[first : first + BATCH]
            network[first : first + len(batch)] = self._network_logits(volume, batch)
        network[MAX_REDUCED_CANDIDATES:] = network[:MAX_REDUCED_CANDIDATES].min(initial=np.inf)
        return np.stack((clipped_logit(scores, MIN_SCORE), network), axis=1)

    def _network_logits(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> NDArray[np.float32]:
        centres_world_mm = [candidate.centre_world_mm for candidate in candidates]
        centres_zyx = volume.voxel_xyz(centres_world_mm)[:, ::-1]
        views = [candidate_views(volume.hu, volume.spacing_mm, centre) for centre in centres_zyx]
        return self._network(normalise_hu(np.stack(views), self._manifest.hu_window))


def candidate_views(
    hu: NDArray[np.int16],
    spacing_mm: tuple[float, float, float],
    centre_voxel_zyx: NDArray[np.float64],
) -> NDArray[np.int16]:
    """Cuts the close and the wide view around a place.

    The middle of a view lies between voxels, so the place is moved between voxels too, by half a
    voxel at most: on a grid of 1 mm the close view is then a copy, which no interpolation blurs.

    Args:
        hu: ``[z, y, x]`` of a working volume.
        spacing_mm: Distance of its voxels along x, y, z.
        centre_voxel_zyx: Centre of the views, fractional indices of the volume.

    Returns:
        HU, ``[2, 32, 32, 32]``; air outside the volume.
    """
    between_voxels = np.floor(centre_voxel_zyx) + 0.5
    return nodule_views(
        hu,
        spacing_mm,
        between_voxels.tolist(),
        view_voxels=VIEW_VOXELS,
        view_spacings_mm=VIEW_SPACINGS_MM,
    )
