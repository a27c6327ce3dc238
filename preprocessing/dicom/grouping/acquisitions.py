"""Separates the planes of a series into acquisitions with one slice at each position."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.grouping.coherence import split_incoherent
from hounsfield.preprocessing.dicom.grouping.copies import preference, without_copies
from hounsfield.preprocessing.dicom.grouping.numbering import runs_of_numbers, times_numbered
from hounsfield.preprocessing.dicom.grouping.runs import (
    are_numbered_through,
    number_of,
    runs_in_order,
)
from hounsfield.preprocessing.dicom.headers.plane import Plane
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.depth_grid import max_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence


class Stack(NamedTuple):
    """Planes of one acquisition.

    Attributes:
        planes: One plane at each position; all of them where `rejection` says why they are none.
        dropped: Exact copies of the planes that were left out.
        rejection: Why the planes cannot be told apart, or are no stack; None if they are one.
        contested: A few planes that share a position with different images, so that neither is
            used.
    """

    planes: list[Plane]
    dropped: list[Plane]
    rejection: SeriesError | None = None
    contested: Sequence[Plane] = ()


class Acquisitions(NamedTuple):
    """The acquisitions among planes of one shape.

    Attributes:
        stacks: The acquisitions, the largest first.
        damaged: Planes whose pixels proved unreadable when they were compared.
    """

    stacks: list[Stack]
    damaged: list[Plane]


def split_acquisitions(planes: Sequence[Plane]) -> Acquisitions:
    """Separates acquisitions by their headers, drops copies, and separates what is left by order.

    Pixels are read only where several planes of one acquisition share a position.

    Args:
        planes: Planes of one patient and one shape, each with a position.

    Returns:
        The stacks, those that cannot be told apart with their rejection, and damaged planes.
    """
    result = Acquisitions([], [])
    for group in split_incoherent(planes):
        positions = without_copies(group)
        result.damaged.extend(positions.damaged)
        if not positions.different:
            continue
        dropped = positions.dropped
        for stack in _stacks(positions.different):
            result.stacks.append(stack._replace(dropped=dropped))
            result.damaged.extend(map(_contested, stack.contested))
            dropped = []
    result.stacks.sort(key=lambda stack: -len(stack.planes))
    return result


def _contested(plane: Plane) -> Plane:
    msg = "Another image has the same position, and nothing shows which of them is right"
    path = str(plane.instance.source)
    error = SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    return Plane(replace(plane.instance, damage=error), plane.frame)


def _stacks(positions: list[list[Plane]]) -> list[Stack]:
    """Stacks of the different planes at some positions."""
    planes = [plane for position in positions for plane in position]
    if len(positions) == 1 and len(planes) > 1:
        return [Stack(planes, [], _one_place(planes))]
    most = max(map(len, positions))
    if most == 1:
        return _by_numbering(planes)
    separated = _separated(positions, most)
    if separated is not None:
        return [Stack(stack, []) for stack in _largest_first(separated)]
    single = [position[0] for position in positions if len(position) == 1]
    contested = [plane for position in positions if len(position) > 1 for plane in position]
    if len(contested) <= max_missing(len(positions)) and are_numbered_through(single):
        return [Stack(single, [], contested=contested)]
    msg = (
        f"Up to {most} different slices have the same position, and nothing in the headers shows "
        "which of them belong together"
    )
    return [Stack(planes, [], SeriesError(Reason.INCONSISTENT_GEOMETRY, msg))]


_DISTINGUISHING: tuple[Callable[[Plane], Hashable], ...] = (
    lambda plane: plane.acquisition.number,
    lambda plane: plane.instance.facts.image_type,
    lambda plane: plane.instance.facts.contrast_bolus_agent,
    lambda plane: plane.instance.facts.series_description,
    lambda plane: plane.instance.facts.series_number,
    lambda plane: (plane.frame.rescale_slope, plane.frame.rescale_intercept),
    lambda plane: plane.frame.slice_thickness_mm,
    lambda plane: plane.acquisition.acquired_s,
    lambda plane: plane.acquisition.content_s,
    lambda plane: plane.instance.source.folder,
)
"""Header values that may separate planes at one position, the most specific first. A scan that is
too short for the rules of `coherence` is separated here."""

_ORDERS: tuple[Callable[[Plane], float | None], ...] = (
    lambda plane: plane.acquisition.acquired_s,
    number_of,
    lambda plane: plane.acquisition.content_s,
)
"""In what order planes were made. SOPInstanceUID is none: it is chance."""


def _separated(positions: list[list[Plane]], most: int) -> list[list[Plane]] | None:
    """Stacks with one plane at each position; None if nothing shows what belongs together."""
    planes = [plane for position in positions for plane in position]
    place_of = {id(plane): place for place, position in enumerate(positions) for plane in position}

    def is_stack(stack: Sequence[Plane]) -> bool:
        return len({place_of[id(plane)] for plane in stack}) == len(stack)

    for distinguish in _DISTINGUISHING:
        stacks = _grouped(planes, distinguish)
        if 1 < len(stacks) <= 2 * most and all(map(is_stack, stacks)):
            return stacks
    for order_of in _ORDERS:
        runs = runs_in_order(planes, order_of)
        if len(runs) == most and all(map(is_stack, runs)):
            return runs
    return _nested(positions, most)


def _nested(positions: list[list[Plane]], most: int) -> list[list[Plane]] | None:
    """Phases that are numbered one after the other at each position, before the table moves on."""
    if any(len(position) != most for position in positions):
        return None
    times = [plane.acquisition.acquired_s for position in positions for plane in position]
    if None not in times and len(set(times)) == len(times):
        # In one pass over the table, the first at each position is the first phase.
        by_time = [
            sorted(p, key=lambda plane: plane.acquisition.acquired_s or 0.0) for p in positions
        ]
        return [[position[rank] for position in by_time] for rank in range(most)]
    ranked = [
        sorted(position, key=lambda plane: plane.instance.instance_number or 0)
        for position in positions
    ]
    for position in ranked:
        numbers = [plane.instance.instance_number for plane in position]
        first = numbers[0]
        if first is None or numbers != list(range(first, first + most)):
            return None
    return [[position[rank] for position in ranked] for rank in range(most)]


def _by_numbering(planes: list[Plane]) -> list[Stack]:
    """One stack, unless InstanceNumber counts the planes several times over.

    Two series that a converter wrote under one UID may lie between one another. Their numbers then
    begin again, or their SOPInstanceUIDs repeat.
    """
    times = times_numbered(planes)
    if times == 1:
        return [Stack(planes, [])]
    by_folder = _grouped(planes, lambda plane: plane.instance.source.folder)
    in_time = [runs_in_order(planes, order_of) for order_of in _ORDERS]
    for parts in (by_folder, *in_time, runs_of_numbers(planes)):
        if len(parts) == times and all(times_numbered(part) == 1 for part in parts):
            return [Stack(part, []) for part in _largest_first(parts)]
    msg = (
        f"InstanceNumber (0020,0013) counts the slices {times} times over, so that these are "
        f"{times} series under one SeriesInstanceUID (0020,000E), and nothing in the headers shows "
        "which slices belong together"
    )
    return [Stack(planes, [], SeriesError(Reason.INCONSISTENT_GEOMETRY, msg))]


def _grouped(planes: Iterable[Plane], key: Callable[[Plane], Hashable]) -> list[list[Plane]]:
    groups: dict[Hashable, list[Plane]] = {}
    for plane in planes:
        groups.setdefault(key(plane), []).append(plane)
    return list(groups.values())


def _largest_first(stacks: Iterable[list[Plane]]) -> list[list[Plane]]:
    """Orders stacks independently of the order of the files."""
    return sorted(stacks, key=lambda stack: (-len(stack), min(map(preference, stack))))


def _one_place(stack: Sequence[Plane]) -> SeriesError:
    msg = (
        f"{len(stack)} different images have the same position {stack[0].frame.position_mm}: a "
        "time series or versions of one slice, not a volume"
    )
    return SeriesError(Reason.DUPLICATE_SERIES, msg)
