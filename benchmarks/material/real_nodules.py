"""Real nodules for the evaluation of segmenter and rater, and intervals clustered by patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.data.prepared.held_out import read_held_out
from hounsfield.data.prepared.splits import patient_fold
from hounsfield.data.readers.nodule_crop_files import NoduleFiles, read_nodule_crops
from hounsfield.models.findings import Candidate
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
    """A nodule on its native grid, with the readers' mask.

    Attributes:
        patient_id: Identifier in LIDC-IDRI.
        finding: Ratings of the readers.
        volume: The nodule and its surroundings.
        mask: ``[z, y, x]``, the voxels inside the readers' outlines.
        candidate: Place and size with the random errors of a detector.
    """

    patient_id: str
    finding: KnownFinding
    volume: Volume
    mask: NDArray[np.bool_]
    candidate: Candidate


def real_nodules(source: Path, chosen: Callable[[int], bool]) -> Iterator[RealNodule]:
    """Yields the nodules of some folds, without those held out for the final test.

    Args:
        source: Folder of nodule crops.
        chosen: Returns whether a fold, given by its number, is used.

    Yields:
        The nodules, each with its own random errors of place and size.
    """
    rng = np.random.default_rng(1)
    held_out = read_held_out("held_out")
    for crop in read_nodule_crops(source).cases:
        assert isinstance(crop, NoduleFiles)
        if crop.patient_id in held_out:
            continue
        if not chosen(patient_fold(crop.patient_id)):
            continue
        try:
            volume, mask = crop.native()
        except SeriesError as error:
            print(f"excluded: {error}")
            continue
        centre = volume.world_mm(np.array(ndimage.center_of_mass(mask))[::-1])
        voxel_mm3 = float(np.prod(volume.spacing_mm))
        diameter_mm = float((6 * mask.sum() * voxel_mm3 / np.pi) ** (1 / 3))
        candidate = as_candidate(centre, diameter_mm, rng)
        yield RealNodule(crop.patient_id, crop.finding, volume, mask, candidate)


def as_candidate(
    centre_world_mm: Sequence[float] | NDArray[np.float64],
    diameter_mm: float,
    rng: np.random.Generator,
) -> Candidate:
    """Adds the random errors of a detector to the place and size of a nodule.

    Args:
        centre_world_mm: True centre, (x, y, z) in LPS mm.
        diameter_mm: True diameter, which limits the error of the place.
        rng: Source of the errors; four numbers are drawn.

    Returns:
        The candidate, with a score of 1.
    """
    x, y, z = (centre_world_mm + rng.normal(0, min(JITTER_MM, 0.2 * diameter_mm), 3)).tolist()
    return Candidate((x, y, z), diameter_mm * float(np.exp(rng.normal(0, SIZE_JITTER))), 1.0)


def patient_weights(patients: Sequence[str] | NDArray[np.intp]) -> NDArray[np.int32]:
    """Computes the weights of nodules in a bootstrap over patients.

    Args:
        patients: Patient of each nodule, as any label.

    Returns:
        ``[1 + RESAMPLINGS, nodules]``; the first row is 1 everywhere, the others are bootstraps.
    """
    _, patient = np.unique(patients, return_inverse=True)
    counts = draw_counts(int(patient.max()) + 1, resamplings=RESAMPLINGS, seed=0)
    return np.concatenate([np.ones((1, len(patient)), np.int32), counts[:, patient]])


def with_interval(values: NDArray[np.float64]) -> str:
    """Formats an estimate with its confidence interval.

    Args:
        values: The estimate, followed by its bootstrap replicates.

    Returns:
        The estimate and the 95 % interval of the replicates.
    """
    ((low, high),) = interval(values[1:, None]).tolist()
    return f"{values[0]:.3f} (95 % {low:.3f} to {high:.3f})"
