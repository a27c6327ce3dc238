"""Tells from hit counts whether a submission's coordinates are in another frame than LPS mm."""

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

    from hounsfield.pipeline.evaluation.luna16.submission import Findings, Marks, SeriesFacts

_SIGNIFICANT = 1e-4
_AXES = (0, 1, 2)
_LUNG_EXTENT_MM = 200.0  # stands for the spread of nodules where there are too few to measure it


@dataclass(frozen=True, slots=True)
class FrameSuggestion:
    """A frame that explains the marks better than the one that was promised.

    Attributes:
        frame: What the coordinates look like, in words.
        hits_as_given: Nodules hit by the marks as they are.
        hits_if_so: Nodules hit when the marks are read in that frame; None where the frame was
            told from the range of the numbers.
    """

    frame: str
    hits_as_given: int
    hits_if_so: int | None


def detect_coordinate_frame(
    marks: Marks, nodules: Findings, facts: SeriesFacts | None = None
) -> FrameSuggestion | None:
    """Tries each frame that people mistake for LPS mm, and names the one that clearly hits more.

    Negated axes (RAS is x and y), reversed order and, where `facts` give origin and spacing,
    voxel indices are tried on the hit counts. Without those facts, voxel indices are told from
    their range, and an axis mirrored within the image from hits that return when that axis is not
    looked at. A frame is named when its hits are beyond chance (the marks of the next scan tell
    what chance is) and more than twice what the marks hit as given.

    Args:
        marks: (n,) marks within the cap.
        nodules: Those of the same scan list.
        facts: Where known.
    """
    counter = _HitCounter(marks, nodules)
    given, _ = counter.count(marks.centre_world_mm)
    best: FrameSuggestion | None = None
    for frame, centres in _frames(marks, facts):
        hits, chance = counter.count(centres)
        if _beyond_chance(hits, given + chance) and (best is None or hits > (best.hits_if_so or 0)):
            best = FrameSuggestion(frame, given, hits)
    if best is None and _range_of_voxels(marks, nodules) and given * 2 < len(nodules.scan):
        return FrameSuggestion("voxel indices (hardly a number is negative)", given, None)
    return best or _mirrored_axis(counter, marks.centre_world_mm, given)


class _HitCounter:
    """Counts nodules hit, in the right scan and, for chance, in the scan after it."""

    def __init__(self, marks: Marks, nodules: Findings) -> None:
        self._nodules = nodules
        self._radius_mm = radii_mm(nodules)
        self._pairs = same_scan_pairs(marks.scan, nodules.scan)
        marked = np.unique(marks.scan)
        following = np.roll(marked, -1)[np.searchsorted(marked, marks.scan)]
        self._other_pairs = same_scan_pairs(following, nodules.scan)
        self._has_others = len(marked) > 1

    def count(
        self, centres: NDArray[np.float64], axes: tuple[int, ...] = _AXES
    ) -> tuple[int, float]:
        """Returns the nodules hit, looking at some axes, and how many chance would hit."""
        hits = self._hit(centres, axes, self._pairs)
        by_chance = self._hit(centres, axes, self._other_pairs) if self._has_others else 0
        return hits, max(float(by_chance), self._expected(axes))

    def _hit(
        self,
        centres: NDArray[np.float64],
        axes: tuple[int, ...],
        pairs: tuple[NDArray[np.intp], NDArray[np.intp]],
    ) -> int:
        mark, nodule = pairs
        difference = self._nodules.centre_world_mm[nodule][:, axes] - centres[mark][:, axes]
        inside = (difference**2).sum(axis=1) < self._radius_mm[nodule] ** 2
        return len(np.unique(nodule[inside]))

    def _expected(self, axes: tuple[int, ...]) -> float:
        """Returns the hits of marks strewn evenly over the space where nodules lie."""
        places = self._nodules.centre_world_mm[:, axes]
        if len(places) == 0:
            return 0.0
        space = float(np.maximum(np.ptp(places, axis=0), _LUNG_EXTENT_MM).prod())
        radius = self._radius_mm[self._pairs[1]]
        covered = 4 / 3 * np.pi * radius**3 if len(axes) == 3 else np.pi * radius**2
        return float(covered.sum()) / space


def _frames(marks: Marks, facts: SeriesFacts | None) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yields each frame's name and the marks read in it, turned to LPS mm."""
    centres = marks.centre_world_mm
    for signs in itertools.product((1, -1), repeat=3):
        negated = [axis for axis, sign in zip("xyz", signs, strict=True) if sign < 0]
        if negated:
            flipped = f"{' and '.join(negated)} flipped (negated)"
            name = "RAS (x and y negated)" if signs == (-1, -1, 1) else flipped
            yield name, centres * signs
        also = f" with {' and '.join(negated)} negated" if negated else ""
        yield f"z, y, x order{also}", centres[:, ::-1] * signs
    if facts is not None:
        origin, spacing = facts.origin_world_mm[marks.scan], facts.spacing_mm[marks.scan]
        yield "voxel indices", origin + centres * spacing
        yield "voxel indices in z, y, x order", origin + centres[:, ::-1] * spacing


def _beyond_chance(hits: int, explained: float) -> bool:
    """Says whether so many hits need another explanation than the given frame and chance."""
    return hits > 2 * explained and float(pdtrc(hits - 1, explained)) < _SIGNIFICANT


def _range_of_voxels(marks: Marks, nodules: Findings) -> bool:
    """Says whether hardly a mark has a negative coordinate although many nodules have one."""
    if len(marks.scan) < 5 or len(nodules.scan) == 0:
        return False
    negative_marks = (marks.centre_world_mm < 0).any(axis=1).mean()
    negative_nodules = (nodules.centre_world_mm < 0).any(axis=1).mean()
    return bool(negative_marks < 0.02 and negative_nodules > 0.3)


def _mirrored_axis(
    counter: _HitCounter, centres: NDArray[np.float64], given: int
) -> FrameSuggestion | None:
    for axis in _AXES:
        hits, chance = counter.count(centres, tuple(a for a in _AXES if a != axis))
        if _beyond_chance(hits, 2 * (given + chance)):
            name = "xyz"[axis]
            frame = f"{name} flipped within the image, or shifted (the other two axes fit)"
            return FrameSuggestion(frame, given, hits)
    return None
