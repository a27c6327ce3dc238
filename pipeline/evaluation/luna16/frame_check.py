"""Detects from hit counts that the coordinates of a submission are in a frame other than LPS mm."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import pdtrc

from hounsfield.pipeline.evaluation.luna16.protocol import radii_mm, same_scan_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hounsfield.pipeline.evaluation.luna16.input_tables import Findings, Predictions, ScanFacts

_MAX_P_VALUE = 1e-4
_AXES = (0, 1, 2)
_LUNG_EXTENT_MM = 200.0  # smallest extent assumed for the region in which nodules lie


@dataclass(frozen=True, slots=True)
class FrameSuggestion:
    """A frame that explains the predictions better than LPS mm.

    Attributes:
        frame: Description of the frame.
        hits_as_given: Nodules hit by the predictions as given.
        hits_in_frame: Nodules hit when the predictions are read in that frame; None where the
            frame was inferred from the range of the coordinates.
    """

    frame: str
    hits_as_given: int
    hits_in_frame: int | None


def detect_coordinate_frame(
    predictions: Predictions, nodules: Findings, facts: ScanFacts | None = None
) -> FrameSuggestion | None:
    """Tries the frames that are commonly confused with LPS mm.

    Negated axes (RAS negates x and y), reversed axis order and, where `facts` give origin and
    spacing, voxel indices are compared by their hits. Without those facts, voxel indices are
    inferred from their range, and an axis flipped within the image from the hits in the other two
    axes. A frame is suggested if its hits exceed chance and are more than twice those of the
    predictions as given. The predictions of the next scan estimate chance.

    Args:
        predictions: Predictions within the limit per scan, on listed scans.
        nodules: Ground-truth nodules on the same scan list.
        facts: Origin and spacing of the scans; None if unknown.

    Returns:
        The frame with most hits; None where LPS mm is the best explanation.
    """
    counter = _HitCounter(predictions, nodules)
    hits_as_given, _ = counter.count(predictions.centre_world_mm)
    best: FrameSuggestion | None = None
    for frame, centres in _frames(predictions, facts):
        hits, chance = counter.count(centres)
        is_better = best is None or hits > (best.hits_in_frame or 0)
        if is_better and _beyond_chance(hits, hits_as_given + chance):
            best = FrameSuggestion(frame, hits_as_given, hits)
    if (
        best is None
        and _has_voxel_range(predictions, nodules)
        and hits_as_given * 2 < len(nodules.scan)
    ):
        return FrameSuggestion(
            "voxel indices (hardly any coordinate is negative)", hits_as_given, None
        )
    return best or _flipped_axis(counter, predictions.centre_world_mm, hits_as_given)


class _HitCounter:
    """Counts the nodules hit in the right scan and, to estimate chance, in the next scan."""

    def __init__(self, predictions: Predictions, nodules: Findings) -> None:
        self._nodules = nodules
        self._radius_mm = radii_mm(nodules)
        self._pairs = same_scan_pairs(predictions.scan, nodules.scan)
        predicted = np.unique(predictions.scan)
        next_scan = np.roll(predicted, -1)[np.searchsorted(predicted, predictions.scan)]
        self._next_scan_pairs = same_scan_pairs(next_scan, nodules.scan)
        self._has_next_scan = len(predicted) > 1

    def count(
        self, centres: NDArray[np.float64], axes: tuple[int, ...] = _AXES
    ) -> tuple[int, float]:
        """Returns the nodules hit, compared along some axes, and those that chance would hit."""
        hits = self._hits(centres, axes, self._pairs)
        by_chance = self._hits(centres, axes, self._next_scan_pairs) if self._has_next_scan else 0
        return hits, max(float(by_chance), self._expected(axes))

    def _hits(
        self,
        centres: NDArray[np.float64],
        axes: tuple[int, ...],
        pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> int:
        prediction, nodule = pairs
        difference = self._nodules.centre_world_mm[nodule][:, axes] - centres[prediction][:, axes]
        inside = (difference**2).sum(axis=1) < self._radius_mm[nodule] ** 2
        return len(np.unique(nodule[inside]))

    def _expected(self, axes: tuple[int, ...]) -> float:
        """Returns the hits of predictions spread evenly over the region in which nodules lie."""
        centres = self._nodules.centre_world_mm[:, axes]
        if len(centres) == 0:
            return 0.0
        region = float(np.maximum(np.ptp(centres, axis=0), _LUNG_EXTENT_MM).prod())
        radius = self._radius_mm[self._pairs[1]]
        covered = 4 / 3 * np.pi * radius**3 if len(axes) == 3 else np.pi * radius**2
        return float(covered.sum()) / region


def _frames(
    predictions: Predictions, facts: ScanFacts | None
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yields the name of each frame and the predictions read in it, converted to LPS mm."""
    centres = predictions.centre_world_mm
    for signs in itertools.product((1, -1), repeat=3):
        negated = [axis for axis, sign in zip("xyz", signs, strict=True) if sign < 0]
        if negated:
            flipped = f"{' and '.join(negated)} flipped (negated)"
            name = "RAS (x and y negated)" if signs == (-1, -1, 1) else flipped
            yield name, centres * signs
        also = f" with {' and '.join(negated)} negated" if negated else ""
        yield f"z, y, x order{also}", centres[:, ::-1] * signs
    if facts is not None:
        origin = facts.origin_world_mm[predictions.scan]
        spacing = facts.spacing_mm[predictions.scan]
        yield "voxel indices", origin + centres * spacing
        yield "voxel indices in z, y, x order", origin + centres[:, ::-1] * spacing


def _beyond_chance(hits: int, explained: float) -> bool:
    """Whether the hits exceed those that the given frame and chance explain (Poisson test)."""
    return hits > 2 * explained and float(pdtrc(hits - 1, explained)) < _MAX_P_VALUE


def _has_voxel_range(predictions: Predictions, nodules: Findings) -> bool:
    """Whether hardly any prediction has a negative coordinate although many nodules have one."""
    if len(predictions.scan) < 5 or len(nodules.scan) == 0:
        return False
    negative_predictions = (predictions.centre_world_mm < 0).any(axis=1).mean()
    negative_nodules = (nodules.centre_world_mm < 0).any(axis=1).mean()
    return bool(negative_predictions < 0.02 and negative_nodules > 0.3)


def _flipped_axis(
    counter: _HitCounter, centres: NDArray[np.float64], hits_as_given: int
) -> FrameSuggestion | None:
    for axis in _AXES:
        hits, chance = counter.count(centres, tuple(a for a in _AXES if a != axis))
        if _beyond_chance(hits, 2 * (hits_as_given + chance)):
            name = "xyz"[axis]
            frame = f"{name} flipped within the image, or shifted (the other two axes fit)"
            return FrameSuggestion(frame, hits_as_given, hits)
    return None
