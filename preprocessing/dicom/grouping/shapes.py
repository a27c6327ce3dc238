"""Groups planes that fit on one grid: of one size, orientation and pixel spacing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.geometry.depth_grid import SPACING_TOLERANCE
from hounsfield.preprocessing.geometry.slice_geometry import MAX_JITTER_DEGREES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.preprocessing.dicom.headers.plane import Plane

_MAX_JITTER: Final = 2 * math.sin(math.radians(MAX_JITTER_DEGREES) / 2)
"""Length of the difference of two unit vectors that are so many degrees apart."""


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
    """Returns whether two planes fit on one grid.

    Directions may differ by `MAX_JITTER_DEGREES`, which some writers make by rounding, and pixel
    spacings by `SPACING_TOLERANCE`.

    Args:
        plane: An image plane; the tolerance is a fraction of its pixel spacing.
        other: The plane to compare with.
    """
    a, b = plane.instance.pixels, other.instance.pixels
    if a is None or b is None or (a.rows, a.columns) != (b.rows, b.columns):
        return False
    one, another = plane.frame, other.frame
    return (
        _near(one.row_direction, another.row_direction, _MAX_JITTER)
        and _near(one.column_direction, another.column_direction, _MAX_JITTER)
        and _near(
            one.pixel_spacing_mm,
            another.pixel_spacing_mm,
            SPACING_TOLERANCE * max(one.pixel_spacing_mm or (0.0,)),
        )
    )


def _near(
    vector: tuple[float, ...] | None, other: tuple[float, ...] | None, distance: float
) -> bool:
    if vector is None or other is None:
        return vector is other
    return vector == other or math.dist(vector, other) <= distance
