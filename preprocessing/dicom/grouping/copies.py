"""Drops planes that are exact copies of others at the same position."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hounsfield.preprocessing.dicom.headers.plane import Plane, depths_mm
from hounsfield.preprocessing.dicom.pixels.isolated_decoding import plane_digest
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.depth_grid import SAME_POSITION_MM

if TYPE_CHECKING:
    from collections.abc import Sequence


class Positions(NamedTuple):
    """Planes by their depth along the normal.

    Attributes:
        different: The different planes at each depth, by increasing depth.
        dropped: Exact copies of other planes.
        damaged: Planes whose pixels proved unreadable when they were compared.
    """

    different: list[list[Plane]]
    dropped: list[Plane]
    damaged: list[Plane]


def without_copies(planes: Sequence[Plane]) -> Positions:
    """Sorts planes by depth and leaves out copies, in whatever encoding.

    Pixels are read only where several planes share a position.

    Args:
        planes: Planes of one shape, each with a position.

    Returns:
        The planes that remain, those left out as copies, and those that cannot be read.
    """
    result = Positions([], [], [])
    for position in _by_position(planes):
        unique = _unique(position, result)
        if unique:
            result.different.append(unique)
    return result


def preference(plane: Plane) -> tuple[bool, int, int, str, int, str]:
    """Returns a sort key: lossless planes first, then by the order of acquisition.

    Args:
        plane: One of the planes to put in order.
    """
    instance = plane.instance
    return (
        instance.facts.lossy,
        plane.acquisition.number or 0,
        instance.instance_number or 0,
        instance.sop_instance_uid,
        plane.frame.number,
        str(instance.source),
    )


def _by_position(planes: Sequence[Plane]) -> list[list[Plane]]:
    depths = depths_mm(planes, planes[0])
    positions: list[list[Plane]] = []
    last = -np.inf
    for index in np.argsort(depths, kind="stable"):
        if depths[index] - last >= SAME_POSITION_MM:
            positions.append([])
            last = depths[index]
        positions[-1].append(planes[index])
    return positions


def _unique(position: list[Plane], result: Positions) -> list[Plane]:
    """The different planes at one position; copies and unreadable ones are added to `result`."""
    if len(position) == 1:
        return position
    unique: dict[bytes, Plane] = {}
    for plane in sorted(position, key=preference):
        try:
            digest = plane_digest(plane.instance, plane.frame)
        except SeriesError as error:
            damaged = Plane(replace(plane.instance, damage=error), plane.frame)
            result.damaged.append(damaged)
            continue
        if digest in unique:
            result.dropped.append(plane)
        else:
            unique[digest] = plane
    return list(unique.values())
