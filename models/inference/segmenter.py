"""`NoduleSegmenter`: the voxels of each candidate, on the native grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, special

from hounsfield.models.contracts import NoduleSegmentations, Segmentation
from hounsfield.models.views.segmentation import (
    DRAWN_EDGE,
    EXACT_EDGE,
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

    from hounsfield.models.contracts import Candidate
    from hounsfield.models.inference.runtimes import Network
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.volume import Volume

BATCH = 8

SECOND_LOOK_SIZE, SECOND_LOOK_SHIFT = 1.2, 0.2
"""A nodule so many times larger or smaller than was told, or off by this part of its diameter, is
looked at again where the first look found it."""

FINEST_STEP_MM = 0.4
"""Voxels wider than this are sampled several times along an axis, so that shares are exact."""

MAX_PARTS = 6


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a view is cut: fractional voxel of the volume, and the size it is made for."""

    centre_zyx: tuple[float, float, float]
    diameter_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What was answered to a look, for one edge."""

    look: _Look
    answer: NDArray[np.float32]


class NoduleSegmenter:
    """Runs the network over a view of each candidate.

    Args:
        manifest: Tells the HU window.
        network: A `segment_net` in any runtime.
    """

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def segment(self, volume: Volume, candidates: Sequence[Candidate]) -> list[NoduleSegmentations]:
        """Returns both outlines of each candidate; None where nothing like a nodule is there.

        Args:
            volume: The native grid.
            candidates: Place and size, as a detector gives them.
        """
        looks = []
        for candidate in candidates:
            x, y, z = volume.voxel_xyz(candidate.centre_world_mm).tolist()
            looks.append(_Look((z, y, x), candidate.diameter_mm))
        seen = {
            (index, edge): _Seen(look, answer[edge])
            for index, (look, answer) in enumerate(
                zip(looks, self._answers(volume, looks), strict=True)
            )
            for edge in (EXACT_EDGE, DRAWN_EDGE)
        }
        seen |= self._seen_again(volume, seen)
        outlines = {
            key: on_native_grid(one.answer, one.look.centre_zyx, one.look.diameter_mm, volume)
            for key, one in seen.items()
        }
        return [
            NoduleSegmentations(
                boundary=outlines[index, EXACT_EDGE], reader_style=outlines[index, DRAWN_EDGE]
            )
            for index in range(len(looks))
        ]

    def _seen_again(
        self, volume: Volume, seen: Mapping[tuple[int, int], _Seen]
    ) -> dict[tuple[int, int], _Seen]:
        """Looks again where an edge was found elsewhere than was told, at each by itself."""
        again = {
            key: look
            for key, one in seen.items()
            if (look := _second_look(one, volume.spacing_mm)) is not None
        }
        answers = self._answers(volume, list(again.values()))
        return {
            (index, edge): _Seen(look, answer[edge])
            for ((index, edge), look), answer in zip(again.items(), answers, strict=True)
            if answer[edge].any()
        }

    def _answers(self, volume: Volume, looks: Sequence[_Look]) -> list[list[NDArray[np.float32]]]:
        """For each look and edge the probability, ``[32, 32, 32]``, of one connected piece."""
        answers: list[list[NDArray[np.float32]]] = []
        for first in range(0, len(looks), BATCH):
            batch = looks[first : first + BATCH]
            images = [
                np.stack(
                    [
                        normalise_hu(
                            cut_view(volume.hu, volume.spacing_mm, one.centre_zyx, one.diameter_mm),
                            self._manifest.hu_window,
                        ),
                        size_prior(one.diameter_mm),
                    ]
                )
                for one in batch
            ]
            shares = special.expit(self._network(np.stack(images)))
            answers += [
                [central_piece(edge, one.diameter_mm) for edge in edges]
                for edges, one in zip(shares, batch, strict=True)
            ]
        return answers


def central_piece(probability: NDArray[np.float32], diameter_mm: float) -> NDArray[np.float32]:
    """Keeps the connected piece above one half that fills most of the ball that was told of."""
    pieces, count = ndimage.label(probability >= 0.5)
    if count < 2:
        return probability * np.float32(count)
    held = ndimage.sum_labels(size_prior(diameter_mm), pieces, np.arange(1, count + 1))
    kept = 1 + int(np.argmax(held))
    return np.where((pieces == kept) | (pieces == 0), probability, np.float32(0))


def on_native_grid(
    probability: NDArray[np.float32],
    centre_zyx: tuple[float, float, float],
    diameter_mm: float,
    volume: Volume,
) -> Segmentation | None:
    """Brings an answer back to the voxels of the volume.

    Each voxel is sampled at evenly spaced places inside it; its share is the part of them where
    the probability, interpolated linearly, is at least one half.

    Args:
        probability: ``[32, 32, 32]``.
        centre_zyx: Of the view, fractional voxel of the volume.
        diameter_mm: That the view was made for.
        volume: The series.

    Returns:
        The voxels; None where there are none.
    """
    view_mm = view_spacing_mm(diameter_mm)
    inside = np.argwhere(probability >= 0.5)
    if not len(inside):
        return None
    start, indices, parts = [], [], []
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
        count = int(np.clip(np.ceil(step / max(FINEST_STEP_MM, view_mm / 2)), 1, MAX_PARTS))
        voxels = first + (np.arange((last - first + 1) * count) + 0.5) / count - 0.5
        indices.append((voxels - centre) * per_voxel + middle)
        start.append(first)
        parts.append(count)
    fine = sample_view(probability, indices) >= 0.5
    z, y, x = (n // p for n, p in zip(fine.shape, parts, strict=True))
    share = fine.reshape(z, parts[0], y, parts[1], x, parts[2]).mean((1, 3, 5), dtype=np.float32)
    return Segmentation((start[0], start[1], start[2]), share) if share.max() > 0 else None


def _second_look(seen: _Seen, spacing_mm: tuple[float, float, float]) -> _Look | None:
    """A better place and size, where the first were far off."""
    look, found = seen.look, seen.answer >= 0.5
    if not found.any():
        return None
    view_mm = view_spacing_mm(look.diameter_mm)
    diameter_mm = float((6 * found.sum() / np.pi) ** (1 / 3)) * view_mm
    shift_mm = (np.argwhere(found).mean(axis=0) - (VIEW_VOXELS - 1) / 2) * view_mm
    ratio = diameter_mm / look.diameter_mm
    near = np.linalg.norm(shift_mm) <= SECOND_LOOK_SHIFT * diameter_mm
    if near and 1 / SECOND_LOOK_SIZE <= ratio <= SECOND_LOOK_SIZE:
        return None
    z, y, x = (look.centre_zyx + shift_mm / spacing_mm[::-1]).tolist()
    return _Look((z, y, x), max(diameter_mm, 2.0))
