"""`NoduleSegmenter`: boundary and reader-style segmentation of each candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, special

from hounsfield.models.contracts import NoduleSegmentations, Segmentation
from hounsfield.models.views.segmentation import (
    BOUNDARY_CHANNEL,
    READER_STYLE_CHANNEL,
    VIEW_VOXELS,
    cut_view,
    sample_view,
    size_prior,
    view_spacing_mm,
)
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hounsfield.models.findings import Candidate
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.volume import Volume

BATCH = 8

MAX_SIZE_RATIO, MAX_SHIFT_IN_DIAMETERS = 1.2, 0.2
"""A nodule that turns out to be larger or smaller than its candidate by more than the ratio, or off
its place by more than this fraction of its diameter, is segmented again in a corrected view."""

MIN_DIAMETER_MM = 2.0
"""Smallest nodule for which a corrected view is cut."""

MAX_SAMPLING_STEP_MM = 0.4
"""Larger voxels are sampled at several points along an axis, so that their fractions are exact."""

MAX_SAMPLES_PER_AXIS = 6

COUNT_TOLERANCE = 1e-6
"""Voxels of 0.8 mm are sampled twice, also where a header rounds them to 0.80000001 mm."""


@dataclass(frozen=True, slots=True)
class _ViewPosition:
    """Centre of a view, as a fractional voxel of the volume, and the diameter that scales it."""

    centre_zyx: tuple[float, float, float]
    diameter_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class _SegmentedView:
    """Probability ``[32, 32, 32]`` of one output channel in a view."""

    position: _ViewPosition
    probability: NDArray[np.float32]


class NoduleSegmenter:
    """Runs the network over a view of each candidate.

    Args:
        manifest: Provides the HU window.
        network: A `segment_net` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def segment(self, volume: Volume, candidates: Sequence[Candidate]) -> list[NoduleSegmentations]:
        """Returns both segmentations of each candidate; None where the network sees no nodule.

        Args:
            volume: The series, upright (`hounsfield.preprocessing.geometry.reorient.upright`):
                views lie along its axes, and the network knows the patient's directions.
            candidates: Place and size of each nodule, as a detector gives them.
        """
        positions = []
        for candidate in candidates:
            x, y, z = volume.voxel_xyz(candidate.centre_world_mm).tolist()
            positions.append(_ViewPosition((z, y, x), candidate.diameter_mm))
        views = {
            (index, channel): _SegmentedView(position, probabilities[channel])
            for index, (position, probabilities) in enumerate(
                zip(positions, self._probabilities(volume, positions), strict=True)
            )
            for channel in (BOUNDARY_CHANNEL, READER_STYLE_CHANNEL)
        }
        views |= self._corrected_views(volume, views)
        segmentations = {
            key: on_native_grid(
                view.probability, view.position.centre_zyx, view.position.diameter_mm, volume
            )
            for key, view in views.items()
        }
        return [
            NoduleSegmentations(
                boundary=segmentations[index, BOUNDARY_CHANNEL],
                reader_style=segmentations[index, READER_STYLE_CHANNEL],
            )
            for index in range(len(positions))
        ]

    def _corrected_views(
        self, volume: Volume, views: Mapping[tuple[int, int], _SegmentedView]
    ) -> dict[tuple[int, int], _SegmentedView]:
        """Repeats the segmentation where the candidate's place or size was far off."""
        positions = {
            key: position
            for key, view in views.items()
            if (position := _corrected_position(view, volume.spacing_mm)) is not None
        }
        outputs = self._probabilities(volume, list(positions.values()))
        return {
            (index, channel): _SegmentedView(position, probabilities[channel])
            for ((index, channel), position), probabilities in zip(
                positions.items(), outputs, strict=True
            )
            if probabilities[channel].any()
        }

    def _probabilities(
        self, volume: Volume, positions: Sequence[_ViewPosition]
    ) -> list[list[NDArray[np.float32]]]:
        """For each view and channel the probability, ``[32, 32, 32]``, of one connected piece."""
        pieces: list[list[NDArray[np.float32]]] = []
        for first in range(0, len(positions), BATCH):
            batch = positions[first : first + BATCH]
            images = np.stack([self._image(volume, position) for position in batch])
            probabilities = special.expit(self._network(images))
            pieces += [
                [central_piece(channel, position.diameter_mm) for channel in channels]
                for channels, position in zip(probabilities, batch, strict=True)
            ]
        return pieces

    def _image(self, volume: Volume, position: _ViewPosition) -> NDArray[np.float32]:
        """Input of the network: HU in the window, and the ball of the candidate's size."""
        hu = cut_view(volume.hu, volume.spacing_mm, position.centre_zyx, position.diameter_mm)
        return np.stack(
            [normalise_hu(hu, self._manifest.hu_window), size_prior(position.diameter_mm)]
        )


def central_piece(probability: NDArray[np.float32], diameter_mm: float) -> NDArray[np.float32]:
    """Keeps the connected piece above one half that overlaps most with the candidate's ball.

    Args:
        probability: ``[32, 32, 32]`` of a view.
        diameter_mm: Diameter for which the view was cut.

    Returns:
        The probability, 0 in all other pieces; 0 everywhere where there is no piece.
    """
    pieces, count = ndimage.label(probability >= 0.5)
    if count < 2:
        return probability * np.float32(count)
    overlaps = ndimage.sum_labels(size_prior(diameter_mm), pieces, np.arange(1, count + 1))
    kept = 1 + int(np.argmax(overlaps))
    return np.where((pieces == kept) | (pieces == 0), probability, np.float32(0))


def on_native_grid(
    probability: NDArray[np.float32],
    centre_zyx: tuple[float, float, float],
    diameter_mm: float,
    volume: Volume,
) -> Segmentation | None:
    """Resamples a segmented view to the voxels of a volume.

    Each voxel is sampled at evenly spaced points inside it; its fraction of nodule is the fraction
    of the points where the probability, interpolated linearly, is at least one half.

    Args:
        probability: ``[32, 32, 32]`` of the view.
        centre_zyx: Centre of the view as a fractional voxel of the volume.
        diameter_mm: Diameter for which the view was cut.
        volume: The series from which the view was cut.

    Returns:
        The segmentation in a box around it; None where there is no nodule.
    """
    view_mm = view_spacing_mm(diameter_mm)
    inside = np.argwhere(probability >= 0.5)
    if not len(inside):
        return None
    start, indices, samples = [], [], []
    steps_zyx = volume.spacing_mm[::-1]
    bounds = zip(inside.min(axis=0), inside.max(axis=0), strict=True)
    for centre, step, size, (low, high) in zip(
        centre_zyx, steps_zyx, volume.shape_zyx, bounds, strict=True
    ):
        per_voxel = step / view_mm
        middle = (VIEW_VOXELS - 1) / 2
        first = max(int(np.floor(centre + (low - 1 - middle) / per_voxel)), 0)
        last = min(int(np.ceil(centre + (high + 1 - middle) / per_voxel)), size - 1)
        if last < first:
            return None
        sampling_step_mm = max(MAX_SAMPLING_STEP_MM, view_mm / 2)
        samples_needed = np.ceil(step / sampling_step_mm - COUNT_TOLERANCE)
        count = int(np.clip(samples_needed, 1, MAX_SAMPLES_PER_AXIS))
        voxels = first + (np.arange((last - first + 1) * count) + 0.5) / count - 0.5
        indices.append((voxels - centre) * per_voxel + middle)
        start.append(first)
        samples.append(count)
    fine = sample_view(probability, indices) >= 0.5
    z, y, x = (n // count for n, count in zip(fine.shape, samples, strict=True))
    split = fine.reshape(z, samples[0], y, samples[1], x, samples[2])
    fraction = split.mean((1, 3, 5), dtype=np.float32)
    if fraction.max() == 0:
        return None
    return Segmentation((start[0], start[1], start[2]), fraction)


def _corrected_position(
    view: _SegmentedView, spacing_mm: tuple[float, float, float]
) -> _ViewPosition | None:
    """A better centre and size where those of the view were far off, else None."""
    position, inside = view.position, view.probability >= 0.5
    if not inside.any():
        return None
    view_mm = view_spacing_mm(position.diameter_mm)
    diameter_mm = float((6 * inside.sum() / np.pi) ** (1 / 3)) * view_mm
    shift_mm = (np.argwhere(inside).mean(axis=0) - (VIEW_VOXELS - 1) / 2) * view_mm
    ratio = diameter_mm / position.diameter_mm
    near = np.linalg.norm(shift_mm) <= MAX_SHIFT_IN_DIAMETERS * diameter_mm
    if near and 1 / MAX_SIZE_RATIO <= ratio <= MAX_SIZE_RATIO:
        return None
    z, y, x = (position.centre_zyx + shift_mm / spacing_mm[::-1]).tolist()
    return _ViewPosition((z, y, x), max(diameter_mm, MIN_DIAMETER_MM))
