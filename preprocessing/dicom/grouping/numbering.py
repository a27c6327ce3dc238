"""Separates scans of one series by the numbers of their slices."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.dicom.grouping.runs import monotone_runs, number_of, runs_in_order
from hounsfield.preprocessing.dicom.grouping.steps import is_most_of, ranges_overlap
from hounsfield.preprocessing.dicom.headers.plane import Plane, depths_mm

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOSTLY_DISTINCT = 1.25
"""Planes for each InstanceNumber; up to here a writer numbered a few slices twice."""


def split_by_numbering(planes: list[Plane]) -> list[list[Plane]]:
    """Separates scans of the same part of the patient that are numbered one after the other.

    Sorted by number, the slices of one scan go along the table once. Where they go back to begin
    again among the first ones, a second scan begins, even if no other value tells them apart.

    Args:
        planes: Planes of one shape, each with a position.

    Returns:
        The planes of each scan; one list of all of them where numbers separate nothing.
    """
    runs = runs_in_order(planes, number_of)
    every = depths_mm(planes, planes[0])
    depths = [depths_mm(run, planes[0]) for run in runs]
    if len(runs) == 1 or not all(is_most_of(run, every) for run in depths):
        return [planes]
    overlap = any(ranges_overlap(one, other) for one, other in combinations(depths, 2))
    return runs if overlap else [planes]


def times_numbered(planes: Sequence[Plane]) -> int:
    """Returns how often InstanceNumber counts through planes; 1 if each has its own, or none.

    Args:
        planes: Planes of one shape, each with a position.
    """
    counts = Counter(map(number_of, planes))
    if len(counts) == 1 or None in counts or _are_apart(planes):
        return 1
    return max(counts.values()) if len(planes) > _MOSTLY_DISTINCT * len(counts) else 1


def runs_of_numbers(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Cuts planes, in the order of their depth, where numbers begin again.

    Args:
        planes: Planes of one shape, each with a position.

    Returns:
        The planes of each run.
    """
    ordered = [planes[index] for index in np.argsort(depths_mm(planes, planes[0]), kind="stable")]
    numbers = np.array([number_of(plane) or 0.0 for plane in ordered])
    return [[ordered[index] for index in run] for run in monotone_runs(numbers)]


def _are_apart(planes: Sequence[Plane]) -> bool:
    """Whether the planes are frames of a few instances that lie beside one another."""
    if all(len(plane.instance.frames) == 1 for plane in planes):
        return False
    by_instance: dict[int, list[Plane]] = {}
    for plane in planes:
        by_instance.setdefault(id(plane.instance), []).append(plane)
    depths = [depths_mm(group, planes[0]) for group in by_instance.values()]
    return not any(ranges_overlap(one, other) for one, other in combinations(depths, 2))
