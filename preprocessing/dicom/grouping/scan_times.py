"""Separates scans of one series by the times of their planes."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.dicom.grouping.runs import are_numbered_through, monotone_runs
from hounsfield.preprocessing.dicom.grouping.steps import (
    is_most_of,
    is_step_and_shoot,
    ranges_overlap,
)
from hounsfield.preprocessing.dicom.headers.plane import Plane, depths_mm
from hounsfield.preprocessing.extent import MIN_SLICES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PAUSE_S: Final = 5.0
"""Pause within one acquisition. The beam is on without a pause in a helical scan; times that are
told in whole seconds differ by one."""

_DAY_S, _LONGEST_SCAN_S = 86_400.0, 3_600.0

MAX_RECONSTRUCTION_PAUSE_S: Final = 60.0
"""The same for ContentTime, which is the time of reconstruction."""


def split_by_time(planes: list[Plane]) -> list[list[Plane]]:
    """Separates planes that were not acquired in one go.

    AcquisitionDateTime or AcquisitionTime decides; ContentTime only where no plane has them.

    Args:
        planes: Planes of one shape, each with a position.

    Returns:
        The planes of each scan; one list of all of them where times separate nothing.
    """
    acquired = [plane.acquisition.acquired_s for plane in planes]
    if all(time is not None for time in acquired):
        return _split(planes, [time or 0.0 for time in acquired], MAX_PAUSE_S)
    known = [plane for plane, time in zip(planes, acquired, strict=True) if time is not None]
    if known and are_numbered_through(planes):
        return [planes]  # a writer left out some times
    if min(len(known), len(planes) - len(known)) >= MIN_SLICES:
        unknown = [plane for plane in planes if plane.acquisition.acquired_s is None]
        return [*split_by_time(known), *split_by_time(unknown)]
    content = [plane.acquisition.content_s for plane in planes]
    if all(time is None for time in acquired) and all(time is not None for time in content):
        scans = _split(planes, [time or 0.0 for time in content], MAX_RECONSTRUCTION_PAUSE_S)
        # Images of one scan may be made in any order, and with pauses.
        depths = [depths_mm(scan, planes[0]) for scan in scans]
        overlap = any(ranges_overlap(one, other) for one, other in combinations(depths, 2))
        return scans if overlap else [planes]
    return [planes]


def _split(planes: list[Plane], times: list[float], max_pause_s: float) -> list[list[Plane]]:
    depths = depths_mm(planes, planes[0])
    moments = _across_midnight(np.asarray(times))
    towards = (moments - moments.mean()) @ (depths - depths.mean())
    order = np.lexsort((depths if towards >= 0 else -depths, moments))
    groups = np.split(order, np.flatnonzero(np.diff(moments[order]) > max_pause_s) + 1)
    if len(groups) > 1 and is_step_and_shoot([np.sort(depths[group]) for group in groups]):
        groups = [order]
    scans = [part for group in groups for part in _split_group(group, depths, moments)]
    return [[planes[i] for i in sorted(scan)] for scan in scans]


def _across_midnight(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times of day that go on after midnight while the date was not changed, or is missing."""
    in_order = np.unique(times)
    if len(in_order) < 2 or np.ptp(in_order) >= _DAY_S:
        return times
    widest = int(np.diff(in_order).argmax())
    if in_order[widest + 1] - in_order[widest] < _DAY_S - _LONGEST_SCAN_S:
        return times
    return np.where(times <= in_order[widest], times + _DAY_S, times)


def _split_group(
    group: NDArray[np.int_], depths: NDArray[np.float64], times: NDArray[np.float64]
) -> list[NDArray[np.int_]]:
    """Separates scans of the same part of the patient that followed one another at once."""
    _, starts = np.unique(times[group], return_index=True)
    moments = np.split(group, starts[1:])
    if all(is_most_of(depths[moment], depths[group]) for moment in moments) and any(
        ranges_overlap(depths[before], depths[after]) for before, after in pairwise(moments)
    ):
        return moments
    if len(moments) == 1:
        return [group]
    # Two images of one moment and position are no step back.
    forward = 1.0 if depths[group[-1]] >= depths[group[0]] else -1.0
    within = np.concatenate([np.arange(len(moment)) for moment in moments])
    nudged = depths[group] + forward * 1e-6 * within
    runs = [group[run] for run in monotone_runs(nudged)]
    return runs if all(is_most_of(depths[run], depths[group]) for run in runs) else [group]
