"""Stand-ins for what is slow: models that answer at once, an analysis that does as it is told."""

from __future__ import annotations

import json
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from models.contracts import Candidate
from models.manifest import Manifest
from models.store import Models, read_manifest
from pipeline.config import RunConfig, load_config
from pipeline.study import Analysis, analyse_series
from preprocessing.codes import Reason
from preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.worker import WorkOrder
    from preprocessing.series import Series
    from preprocessing.working_volume import WorkingVolume


class BrightBlobDetector:
    """Marks the middle of every large dense blob in the search mask."""

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        dense, count = ndimage.label((volume.hu > -300) & volume.search_mask)
        marks = []
        for index in range(1, count + 1):
            voxels = np.argwhere(dense == index)
            diameter_mm = (6 * len(voxels) / np.pi) ** (1 / 3) * volume.spacing_mm
            if diameter_mm > 4:
                x, y, z = volume.world_mm(voxels.mean(axis=0)[::-1])
                score = min(1.0, diameter_mm / 40)
                marks.append(Candidate((float(x), float(y), float(z)), diameter_mm, score))
        return sorted(marks, key=lambda mark: -mark.score)


class EvenClassifier:
    """Is most for the first class, and never sure."""

    def classify(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> list[tuple[float, float, float, float]]:
        del volume
        return [(0.62, 0.05, 0.21, 0.12) for _ in candidates]
