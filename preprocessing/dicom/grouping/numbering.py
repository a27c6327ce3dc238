"""Separates scans of one series by the numbers of their slices."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.dicom.grouping.scan_times import monotone_runs, runs_in_order
from hounsfield.preprocessing.dicom.grouping.steps import ranges_overlap
from hounsfield.preprocessing.dicom.headers.plane import Plane, depths_mm
from hounsfield.preprocessing.extent import MIN_SLICES

if TYPE_CHECKING:
    from collections.abc import Sequence

_FRAMES = 1 << 20
"""More than an instance has frames."""

_MOSTLY_DISTINCT = 1.25
"""Planes for each InstanceNumber; up to here a writer numbered a few slices twice."""


def number_of(plane: Plane) -> float | None:
    """Returns InstanceNumber, with the number of the frame behind it; None without one.

    Args:
        plane: A plane of a classic or of a multi-frame instance.
    """
    number = plane.instance.instance_number
    return None if number is None else float(number * _FRAMES + plane.frame.number)


def are_numbered_through(planes: Sequence[Plane]) -> bool:
    """Returns whether each plane has a number of its own, and numbers follow the positions.

    Args:
        planes: Planes of one shape, each with a position.
    """
    return len(planes) > 1 and len(runs_in_order(planes, number_of)) == 1 and _all_numbered(planes)


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
    if len(runs) == 1 or any(len(run) < MIN_SLICES for run in runs):
        return [planes]
    depths = [depths_mm(run, planes[0]) for run in runs]
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


def _all_numbered(planes: Sequence[Plane]) -> bool:
    numbers = [number_of(plane) for plane in planes]
    return None not in numbers and len(set(numbers)) == len(numbers)


def _are_apart(planes: Sequence[Plane]) -> bool:
    """Whether the planes are frames of a few instances that lie beside one another."""
    if all(len(plane.instance.frames) == 1 for plane in planes):
        return False
    by_instance: dict[int, list[Plane]] = {}
    for plane in planes:
        by_instance.setdefault(id(plane.instance), []).append(plane)
    depths = [depths_mm(group, planes[0]) for group in by_instance.values()]
    return not any(ranges_overlap(one, other) for one, other in combinations(depths, 2))
