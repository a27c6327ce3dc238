"""The real nodules that segmenter and rater are judged on, and intervals clustered by patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.data.prepared.held_out import read_held_out
from hounsfield.data.prepared.splits import patient_fold
from hounsfield.data.readers.nodule_crop_files import NoduleFiles, read_nodule_crops
from hounsfield.models.contracts import Candidate
from hounsfield.pipeline.evaluation.bootstrap import draw_counts, interval
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.preprocessing.volume import Volume

JITTER_MM, SIZE_JITTER = 1.2, 0.15
RESAMPLINGS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class RealNodule:
    """A nodule as it lies in its files, with the readers' mask, and what a detector tells of it."""

    patient_id: str
    rated: KnownFinding
    volume: Volume
    inside: NDArray[np.bool_]
    told: Candidate


def real_nodules(source: Path, chosen: Callable[[int], bool]) -> Iterator[RealNodule]:
    """The nodules of the chosen folds, and what is told of each."""
    rng = np.random.default_rng(1)
    held_out = read_held_out("held_out")
    for crop in read_nodule_crops(source).cases:
        assert isinstance(crop, NoduleFiles)
        if crop.patient_id in held_out:
            continue
        if not chosen(patient_fold(crop.patient_id)):
            continue
        try:
            volume, inside = crop.native()
        except SeriesError as error:
            print(f"left out: {error}")
            continue
        centre = volume.world_mm(np.array(ndimage.center_of_mass(inside))[::-1])
        voxel_mm3 = float(np.prod(volume.spacing_mm))
        diameter_mm = float((6 * inside.sum() * voxel_mm3 / np.pi) ** (1 / 3))
        told = as_told(centre, diameter_mm, rng)
        yield RealNodule(crop.patient_id, crop.finding, volume, inside, told)


def as_told(
    centre_world_mm: Sequence[float] | NDArray[np.float64],
    diameter_mm: float,
    rng: np.random.Generator,
) -> Candidate:
    """Place and size as a detector tells them."""
    x, y, z = (centre_world_mm + rng.normal(0, min(JITTER_MM, 0.2 * diameter_mm), 3)).tolist()
    return Candidate((x, y, z), diameter_mm * float(np.exp(rng.normal(0, SIZE_JITTER))), 1.0)


def patient_weights(patients: Sequence[str] | NDArray[np.intp]) -> NDArray[np.int32]:
    """How often each nodule counts, (1 + resamplings, nodules): once, then as patients are drawn.

    Args:
        patients: Whose each nodule is.
    """
    _, patient = np.unique(patients, return_inverse=True)
    drawn = draw_counts(int(patient.max()) + 1, resamplings=RESAMPLINGS, seed=0)
    return np.concatenate([np.ones((1, len(patient)), np.int32), drawn[:, patient]])


def with_interval(values: NDArray[np.float64]) -> str:
    """The first value, and the 95 % interval of the others."""
    ((low, high),) = interval(values[1:, None]).tolist()
    return f"{values[0]:.3f} (95 % {low:.3f} to {high:.3f})"
