"""Separates the planes of a series into acquisitions with one slice at each position."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.pixels import read_hu
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.slice_geometry import (
    SAME_POSITION_MM,
    SPACING_TOLERANCE,
    slice_axes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from hounsfield.preprocessing.dicom.header import Instance
    from hounsfield.preprocessing.geometry.frame import Frame


class Plane(NamedTuple):
    """One image plane: an instance and one of its frames."""

    instance: Instance
    frame: Frame


class Acquisitions(NamedTuple):
    """The acquisitions among planes of one shape.

    Attributes:
        stacks: Each with one plane at each position.
        dropped: Exact copies of other planes.
        damaged: Planes whose pixels proved unreadable when they were compared.
        depths: Number of different positions along the normal.
    """

    stacks: list[list[Plane]]
    dropped: list[Plane]
    damaged: list[Plane]
    depths: int


def group_by_shape(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Returns groups of planes of one size, orientation and pixel spacing, the largest first.

    Args:
        planes: Image planes in any order.
    """
    groups: list[list[Plane]] = []
    for plane in planes:
        for group in groups:
            if same_shape(plane, group[0]):
                group.append(plane)
                break
        else:
            groups.append([plane])
    return sorted(groups, key=len, reverse=True)


def same_shape(plane: Plane, other: Plane) -> bool:
    """Returns whether two planes fit on one grid: 1 % of pixel spacing, 1e-3 of direction.

    Args:
        plane: An image plane; the tolerance is a fraction of its pixel spacing.
        other: The plane to compare with.
    """
    a, b = plane.instance.pixels, other.instance.pixels
    if a is None or b is None or (a.rows, a.columns) != (b.rows, b.columns):
        return False
    return (
        _close(plane.frame.row_direction, other.frame.row_direction, 1e-3)
        and _close(plane.frame.column_direction, other.frame.column_direction, 1e-3)
        and _close(
            plane.frame.pixel_spacing_mm,
            other.frame.pixel_spacing_mm,
            SPACING_TOLERANCE * max(plane.frame.pixel_spacing_mm or (0.0,)),
        )
    )


def _close(
    vector: tuple[float, ...] | None, other: tuple[float, ...] | None, tolerance: float
) -> bool:
    if vector is None or other is None:
        return vector is other
    return all(abs(a - b) <= tolerance for a, b in zip(vector, other, strict=True))


def split_acquisitions(planes: Sequence[Plane]) -> Acquisitions:
    """Drops copies, and separates planes with different content at one position.

    Pixels are read only where several planes share a position.

    Args:
        planes: Planes of one shape, each with a position.

    Returns:
        The acquisitions, the largest first.

    Raises:
        SeriesError: `inconsistent_geometry` if planes at one position differ and nothing in the
            headers shows which of them belong together.
    """
    positions = _by_position(planes)
    kept: list[list[Plane]] = []
    dropped: list[Plane] = []
    damaged: list[Plane] = []
    for position in positions:
        unique, copies, broken = _without_copies(position)
        kept.append(unique)
        dropped += copies
        damaged += broken
    kept = [position for position in kept if position]
    if not kept:
        return Acquisitions([], dropped, damaged, 0)
    if len(kept) == 1 and len(kept[0]) > 1:
        return Acquisitions([kept[0]], dropped, damaged, 1)
    return Acquisitions(_stacks(kept), dropped, damaged, len(kept))


def depth_mm(plane: Plane, like: Plane) -> float:
    """Returns the position of a plane along the normal of another, in mm.

    Args:
        plane: An image plane with a position.
        like: The plane whose normal is used.
    """
    _, _, normal = slice_axes(like.frame)
    return float(np.dot(np.array(plane.frame.position_mm), normal))


def _by_position(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Groups the planes at one depth, by increasing depth."""
    _, _, normal = slice_axes(planes[0].frame)
    depths = np.array([plane.frame.position_mm for plane in planes]) @ normal
    positions: list[list[Plane]] = []
    last = -np.inf
    for index in np.argsort(depths, kind="stable"):
        if depths[index] - last >= SAME_POSITION_MM:
            positions.append([])
            last = depths[index]
        positions[-1].append(planes[index])
    return positions


def _without_copies(position: list[Plane]) -> tuple[list[Plane], list[Plane], list[Plane]]:
    """The different planes at one position, exact copies, and planes that cannot be read."""
    if len(position) == 1:
        return position, [], []
    unique: dict[bytes, Plane] = {}
    dropped: list[Plane] = []
    damaged: list[Plane] = []
    for plane in sorted(position, key=_preference):
        try:
            fingerprint = _fingerprint(plane)
        except SeriesError as error:
            damaged.append(Plane(replace(plane.instance, damage=error), plane.frame))
            continue
        if fingerprint in unique:
            dropped.append(plane)
        else:
            unique[fingerprint] = plane
    return list(unique.values()), dropped, damaged


def _preference(plane: Plane) -> tuple[bool, int, int, str, int, str]:
    """A sort key: lossless planes first, then by the order of acquisition."""
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
"""Header values that may separate acquisitions inside one series, the most specific first."""


def _stacks(positions: list[list[Plane]]) -> list[list[Plane]]:
    """Splits the planes at many positions into stacks with one plane at each position."""
    most = max(map(len, positions))
    if most == 1:
        return [[position[0] for position in positions]]
    position_of = {
        id(plane): number for number, position in enumerate(positions) for plane in position
    }
    planes = [plane for position in positions for plane in position]
    for distinguish in _DISTINGUISHING:
        stacks: dict[Hashable, list[Plane]] = {}
        for plane in planes:
            stacks.setdefault(distinguish(plane), []).append(plane)
        if 1 < len(stacks) <= 2 * most and all(
            len({position_of[id(plane)] for plane in stack}) == len(stack)
            for stack in stacks.values()
        ):
            return _largest_first(stacks.values())
    runs = _runs(planes, position_of)
    if len(runs) == most:
        return _largest_first(runs)
    if all(len(position) == most for position in positions):
        return [[position[rank] for position in positions] for rank in range(most)]
    msg = (
        f"Up to {most} different slices have the same position, and nothing in the headers shows "
        "which of them belong together"
    )
    raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)


def _largest_first(stacks: Iterable[list[Plane]]) -> list[list[Plane]]:
    """Orders stacks independently of the order of the files."""
    return sorted(stacks, key=lambda stack: (-len(stack), min(map(_preference, stack))))


def _runs(planes: Sequence[Plane], position_of: dict[int, int]) -> list[list[Plane]]:
    """Cuts the planes, in the order of acquisition, where they skip a position."""
    acquired = sorted(planes, key=_preference)
    runs: list[list[Plane]] = []
    last, step = 0, 0
    for plane in acquired:
        position = position_of[id(plane)]
        advance = position - last
        if not runs or abs(advance) != 1 or (len(runs[-1]) > 1 and advance != step):
            runs.append([])
        else:
            step = advance
        runs[-1].append(plane)
        last = position
    return runs
