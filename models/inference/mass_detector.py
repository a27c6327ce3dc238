"""`MassDetector`: masses and solid opacities of 25 to 115 mm, detected on the 3 mm lung grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.calibration import logistic_score
from hounsfield.models.measurements.size import long_axis_by_moments_mm, sphere_diameter_mm
from hounsfield.models.views.masses import SIZE_DIVISOR, mass_view
from hounsfield.preprocessing.lungs.morphology import dilate
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM, VOXEL_ML
from hounsfield.preprocessing.volume import apply_affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.findings import WorldPoint
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.models.views.masses import MassView
    from hounsfield.preprocessing.lungs.segment import Lungs

MIN_LOGIT = 0.0
"""Voxels above this, a probability of one half before calibration, are segmented."""

MIN_VOLUME_ML = 6.0
"""A ball of 22.5 mm; smaller lesions are left to the nodule detector."""

MIN_SEARCH_FRACTION = 0.5
"""At least this fraction of a mass lies in the search mask, so that it is not liver or spleen. A
fifth, with voxels up to 12 mm further out, found 0.91 instead of 0.89 of 163 synthetic masses, the
difference on the dome of the diaphragm; but the loss hardly counted there, so it was not kept."""

DEFAULT_THRESHOLD = 0.5
"""Score threshold of a model without operating points."""

PADDING_HU = -1000


@dataclass(frozen=True, slots=True, eq=False)
class MassCandidate:
    """A connected part of the network's segmentation.

    Attributes:
        centre_world_mm: Centre of mass, (x, y, z) in LPS mm.
        diameter_mm: Diameter of the sphere of the same volume.
        long_axis_mm: Long axis of the ellipsoid with the same second moments.
        score: Calibrated probability that it is a mass, 0 to 1.
        mask: bool ``[z, y, x]`` on the lung grid.
    """

    centre_world_mm: WorldPoint
    diameter_mm: float
    long_axis_mm: float
    score: float
    mask: NDArray[np.bool_]


class MassDetector:
    """Runs the network once over the chest and returns the connected parts of its segmentation.

    Args:
        manifest: Provides calibration and operating points.
        network: A `MassNet` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    @property
    def default_threshold(self) -> float:
        """The score from which a candidate is reported by default, 0 to 1."""
        points = self._manifest.operating_points
        return points.default if points else DEFAULT_THRESHOLD

    def detect(self, lungs: Lungs) -> list[MassCandidate]:
        """Returns every candidate, best score first.

        Args:
            lungs: Lungs of the series, with HU and search mask on the 3 mm grid.
        """
        view = mass_view(lungs)
        logits = network_logits(self._network, view)
        parts = connected_parts(logits, view)
        part_logits = np.array([part_logit(logits, part) for part in parts], np.float64)
        scores = logistic_score(part_logits, self._manifest.calibration)
        candidates = []
        for part, score in zip(parts, scores, strict=True):
            mask = np.zeros(lungs.hu.shape, dtype=bool)
            mask[view.box] = part
            candidates.append(_candidate(mask, lungs, float(score)))
        return sorted(candidates, key=lambda candidate: -candidate.score)


def network_logits(network: Network, view: MassView) -> NDArray[np.float32]:
    """Runs the network on a view, padded with air to a size that it accepts.

    Args:
        network: A `MassNet` in any runtime.
        view: The chest on the lung grid.

    Returns:
        The logit of each voxel of the view, float32 ``[z, y, x]``.
    """
    image = view.image.astype(np.float32)
    shape = image.shape[1:]
    pad = [(0, -size % SIZE_DIVISOR) for size in shape]
    padded = np.pad(image, [(0, 0), *pad])
    padded[0] = np.pad(image[0], pad, constant_values=PADDING_HU)
    logits: NDArray[np.float32] = network(padded[None])[0, 0]
    return logits[tuple(slice(0, size) for size in shape)]


def connected_parts(logits: NDArray[np.float32], view: MassView) -> list[NDArray[np.bool_]]:
    """Finds connected parts, with pieces up to 6 mm apart joined and holes filled.

    Args:
        logits: Output of the network for the view, ``[z, y, x]``.
        view: The chest on the lung grid.

    Returns:
        One mask of the view for each part that has `MIN_VOLUME_ML` and lies in the search mask by
        `MIN_SEARCH_FRACTION`.
    """
    segmented = (logits > MIN_LOGIT) & view.region
    joined, _ = ndimage.label(dilate(segmented))
    parts = []
    for index, box in enumerate(ndimage.find_objects(joined), start=1):
        inside = segmented[box] & (joined[box] == index)
        filled = ndimage.binary_fill_holes(inside)
        if np.count_nonzero(filled) * VOXEL_ML < MIN_VOLUME_ML:
            continue
        if view.image[1][box][filled].astype(bool).mean() < MIN_SEARCH_FRACTION:
            continue
        part = np.zeros(segmented.shape, dtype=bool)
        part[box] = filled
        parts.append(part)
    return parts


def part_logit(logits: NDArray[np.float32], part: NDArray[np.bool_]) -> float:
    """Computes one logit for a part: the mean of the upper half of its voxels.

    Args:
        logits: Output of the network for a view, ``[z, y, x]``.
        part: Mask of the part, same shape, not empty.

    Returns:
        The logit before calibration.
    """
    values = np.sort(logits[part])
    return float(values[len(values) // 2 :].mean())


def _candidate(mask: NDArray[np.bool_], lungs: Lungs, score: float) -> MassCandidate:
    """Measures a part."""
    points = np.argwhere(mask)
    x, y, z = apply_affine(lungs.affine, points.mean(axis=0)[::-1]).tolist()
    return MassCandidate(
        centre_world_mm=(x, y, z),
        diameter_mm=sphere_diameter_mm(len(points) * LUNG_GRID_MM**3),
        long_axis_mm=long_axis_by_moments_mm(points, LUNG_GRID_MM),
        score=score,
        mask=mask,
    )
