"""Planes of one series apart into acquisitions: no two slices of a volume at one place."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.pixels import read_hu
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.slice_geometry import (
    SAME_PLACE_MM,
    SPACING_TOLERANCE,
    slice_axes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from hounsfield.preprocessing.dicom.frames import Frame
    from hounsfield.preprocessing.dicom.header import Instance


class Plane(NamedTuple):
    """One image plane: an instance and one of its frames."""

    instance: Instance
    frame: Frame


class Acquisitions(NamedTuple):
    """What planes of one shape fall apart into.

    Attributes:
        stacks: Each with one plane at a place.
        dropped: Exact copies of other planes.
        damaged: Planes whose pixels turned out unreadable in the comparison.
        depths: Number of different places along the normal.
    """

    stacks: list[list[Plane]]
    dropped: list[Plane]
    damaged: list[Plane]
    depths: int


def group_by_shape(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Groups planes of one size, orientation and pixel spacing, the largest group first."""
    groups: list[list[Plane]] = []
    for plane in planes:
        for group in groups:
            if same_shape(plane, group[0]):
                group.append(plane)
                break
        else:
            groups.append([plane])
    return sorted(groups, key=len, reverse=True)


def same_shape(one: Plane, other: Plane) -> bool:
    """Whether two planes can lie on one grid; 1 % of pixel spacing, 1e-3 of direction."""
    a, b = one.instance.pixels, other.instance.pixels
    if a is None or b is None or (a.rows, a.columns) != (b.rows, b.columns):
        return False
    return (
        _close(one.frame.row_direction, other.frame.row_direction, 1e-3)
        and _close(one.frame.column_direction, other.frame.column_direction, 1e-3)
        and _close(
            one.frame.pixel_spacing_mm,
            other.frame.pixel_spacing_mm,
            SPACING_TOLERANCE * max(one.frame.pixel_spacing_mm or (0.0,)),
        )
    )


def _close(
    one: tuple[float, ...] | None, other: tuple[float, ...] | None, tolerance: float
) -> bool:
    if one is None or other is None:
        return one is other
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


def split_acquisitions(planes: Sequence[Plane]) -> Acquisitions:
    """Drops copies and splits planes that show different things at one place.

    Pixels are read only where several planes lie at one place.

    Args:
        planes: Of one shape, each with a position.

    Raises:
        SeriesError: `inconsistent_geometry` where planes at one place differ and nothing in the
            headers tells which ones belong together.
    """
    places = _by_place(planes)
    kept: list[list[Plane]] = []
    dropped: list[Plane] = []
    damaged: list[Plane] = []
    for place in places:
        unique, copies, broken = _without_copies(place)
        kept.append(unique)
        dropped += copies
        damaged += broken
    kept = [place for place in kept if place]
    if not kept:
        return Acquisitions([], dropped, damaged, 0)
    if len(kept) == 1 and len(kept[0]) > 1:
        return Acquisitions([kept[0]], dropped, damaged, 1)
    return Acquisitions(_stacks(kept), dropped, damaged, len(kept))


def depth_mm(plane: Plane, like: Plane) -> float:
    """Position of a plane along the normal of another."""
    _, _, normal = slice_axes(like.frame)
    return float(np.dot(np.array(plane.frame.position_mm), normal))


def _by_place(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Planes at one depth together, by rising depth."""
    _, _, normal = slice_axes(planes[0].frame)
    depths = np.array([plane.frame.position_mm for plane in planes]) @ normal
    places: list[list[Plane]] = []
    last = -np.inf
    for index in np.argsort(depths, kind="stable"):
        if depths[index] - last >= SAME_PLACE_MM:
            places.append([])
            last = depths[index]
        places[-1].append(planes[index])
    return places


def _without_copies(place: list[Plane]) -> tuple[list[Plane], list[Plane], list[Plane]]:
    """The different planes of one place, exact copies, and planes that cannot be read."""
    if len(place) == 1:
        return place, [], []
    seen: dict[bytes, Plane] = {}
    dropped: list[Plane] = []
    damaged: list[Plane] = []
    for plane in sorted(place, key=_preference):
        try:
            fingerprint = _fingerprint(plane)
        except SeriesError as error:
            damaged.append(Plane(replace(plane.instance, damage=error), plane.frame))
            continue
        if fingerprint in seen:
            dropped.append(plane)
        else:
            seen[fingerprint] = plane
    return list(seen.values()), dropped, damaged


def _preference(plane: Plane) -> tuple[bool, int, int, str, int, str]:
    """Sorts lossless planes first, then by the order in which they were made."""
    instance = plane.instance
    return (
        instance.facts.lossy,
        instance.acquisition_number or 0,
        instance.instance_number or 0,
        instance.sop_instance_uid,
        plane.frame.number,
        str(instance.source),
    )


def _fingerprint(plane: Plane) -> bytes:
    """A digest of position and HU: equal for copies in any encoding."""
    layout = plane.instance.pixels
    if layout is None:
        return b""
    hu = np.empty((layout.rows, layout.columns), dtype=np.int16)
    read_hu(plane.instance, plane.frame, hu)
    digest = hashlib.blake2b(hu.data, digest_size=16)
    digest.update(repr(np.round(plane.frame.position_mm or (), 2).tolist()).encode())
    return digest.digest()


_DISTINGUISHING: tuple[Callable[[Plane], Hashable], ...] = (
    lambda plane: plane.instance.acquisition_number,
    lambda plane: plane.instance.facts.convolution_kernel,
    lambda plane: plane.instance.facts.image_type,
    lambda plane: plane.instance.facts.contrast_bolus_agent,
    lambda plane: plane.instance.facts.series_description,
    lambda plane: plane.instance.acquisition_time,
)
"""What may tell one acquisition from another inside one series, the most telling first."""


def _stacks(places: list[list[Plane]]) -> list[list[Plane]]:
    """Splits the planes of many places into stacks with one plane a place."""
    most = max(map(len, places))
    if most == 1:
        return [[place[0] for place in places]]
    place_of = {id(plane): number for number, place in enumerate(places) for plane in place}
    planes = [plane for place in places for plane in place]
    for distinguish in _DISTINGUISHING:
        stacks: dict[Hashable, list[Plane]] = {}
        for plane in planes:
            stacks.setdefault(distinguish(plane), []).append(plane)
        if 1 < len(stacks) <= 2 * most and all(
            len({place_of[id(plane)] for plane in stack}) == len(stack) for stack in stacks.values()
        ):
            return _largest_first(stacks.values())
    runs = _runs(planes, place_of)
    if len(runs) == most:
        return _largest_first(runs)
    if all(len(place) == most for place in places):
        return [[place[rank] for place in places] for rank in range(most)]
    msg = (
        f"up to {most} different slices lie at one place, and nothing in the headers tells which "
        "of them belong together"
    )
    raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)


def _largest_first(stacks: Iterable[list[Plane]]) -> list[list[Plane]]:
    """The same order whatever order the files came in."""
    return sorted(stacks, key=lambda stack: (-len(stack), min(map(_preference, stack))))


def _runs(planes: Sequence[Plane], place_of: dict[int, int]) -> list[list[Plane]]:
    """Cuts the planes, in the order they were made, where they do not go on to the next place."""
    made = sorted(planes, key=_preference)
    runs: list[list[Plane]] = []
    last, step = 0, 0
    for plane in made:
        place = place_of[id(plane)]
        onward = place - last
        if not runs or abs(onward) != 1 or (len(runs[-1]) > 1 and onward != step):
            runs.append([])
        else:
            step = onward
        runs[-1].append(plane)
        last = place
    return runs
