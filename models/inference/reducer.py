"""`CandidateReducer`: looks again, closer, at a detector's best candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from hounsfield.models.views.close_and_wide import nodule_views
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.contracts import Candidate
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Calibration, Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

MAX_REDUCED_CANDIDATES = 50
"""Candidates of a series, by the detector's score. The others stay below all of these."""

VIEW_VOXELS = 32
VIEW_SPACINGS_MM = (1.0, 2.5)
"""Close up: 32 mm, margin and texture. Around it: 80 mm, the tree, the wall, a mass."""

BATCH = 10
MIN_SCORE = 1e-6
"""Scores nearer to 0 or 1 have this one's logit: a score of 0 or 1 has none."""


class CandidateReducer:
    """Runs the network over both views of the best candidates and joins its word to the detector's.

    Args:
        manifest: Tells HU window and calibration.
        network: A `ReduceNet` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def reduce(self, volume: WorkingVolume, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Returns every candidate with the score of both models together, best score first."""
        ordered = sorted(candidates, key=lambda candidate: -candidate.score)
        scores = joint_scores(self.logits(volume, ordered), self._manifest.calibration)
        rescored = [
            replace(candidate, score=score)
            for candidate, score in zip(ordered, scores.tolist(), strict=True)
        ]
        return sorted(rescored, key=lambda candidate: -candidate.score)

    def logits(self, volume: WorkingVolume, candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """The detector's logit and the network's of each candidate, ``[candidates, 2]``.

        Candidates beyond the best `MAX_REDUCED_CANDIDATES` have the lowest of the network's logits.

        Args:
            volume: They lie in it.
            candidates: Best score first.
        """
        scores = np.array([candidate.score for candidate in candidates], np.float64)
        detector = special.logit(np.clip(scores, MIN_SCORE, 1 - MIN_SCORE))
        looked_at = candidates[:MAX_REDUCED_CANDIDATES]
        network = np.zeros(len(candidates))
        for first in range(0, len(looked_at), BATCH):
            part = looked_at[first : first + BATCH]
            network[first : first + len(part)] = self._look(volume, part)
        network[MAX_REDUCED_CANDIDATES:] = network[:MAX_REDUCED_CANDIDATES].min(initial=np.inf)
        return np.stack((detector, network), axis=1)

    def _look(self, volume: WorkingVolume, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """The network's logits for a few candidates."""
        centres_zyx = volume.voxel_xyz([one.centre_world_mm for one in candidates])[:, ::-1]
        views = [candidate_views(volume.hu, volume.spacing_mm, centre) for centre in centres_zyx]
        return self._network(normalise_hu(np.stack(views), self._manifest.hu_window))


def joint_scores(logits: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Calibrated scores from the logits of detector and reducer, ``[candidates, 2]``."""
    slopes = np.array((calibration.detector_slope, calibration.slope))
    scores: NDArray[np.float64] = special.expit(logits @ slopes + calibration.intercept)
    return scores


def candidate_views(
    hu: NDArray[np.int16],
    spacing_mm: tuple[float, float, float],
    centre_voxel_zyx: NDArray[np.float64],
) -> NDArray[np.int16]:
    """Cuts both views around a place, HU ``[2, 32, 32, 32]``; air beyond the volume.

    The middle of a view lies between voxels. So does the place that is taken here, half a voxel
    off at most: on a grid of 1 mm the close view is then a copy, which no interpolation blurs.
    """
    between = np.floor(centre_voxel_zyx) + 0.5
    return nodule_views(
        hu,
        spacing_mm,
        between.tolist(),
        view_voxels=VIEW_VOXELS,
        view_spacings_mm=VIEW_SPACINGS_MM,
    )
