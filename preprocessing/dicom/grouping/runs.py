"""Runs of planes in the order of their times or numbers, along the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.dicom.headers.plane import Plane, depths_mm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_FRAMES = 1 << 20
"""More than an instance has frames."""


def runs_in_order(
    planes: Sequence[Plane], order_of: Callable[[Plane], float | None]
) -> list[list[Plane]]:
    """Cuts planes where the table went back, in an order that all planes have and no two share.

    Args:
        planes: Planes of one shape, each with a position.
        order_of: Returns the time or number of a plane.

    Returns:
        The runs; one run of all planes where they have no such order.
    """
    keys = [key for plane in planes if (key := order_of(plane)) is not None]
    if len(keys) < len(planes) or len(set(keys)) < len(keys):
        return [list(planes)]
    order = np.argsort(keys)
    depths = depths_mm(planes, planes[0])[order]
    return [[planes[order[i]] for i in run] for run in monotone_runs(depths)]


def monotone_runs(values: NDArray[np.float64]) -> list[NDArray[np.int_]]:
    """Returns the indices of the runs of a sequence, cut where it turns round, stops or goes back.

    Args:
        values: For instance positions along the normal in the order of their times, shape (n,).
    """
    starts = [0]
    direction = 0.0
    for index, step in enumerate(np.sign(np.diff(values)), start=1):
        if index - starts[-1] == 1:
            direction = step
        if step != direction or step == 0:
            starts.append(index)
    return np.split(np.arange(len(values)), starts[1:])


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


def _all_numbered(planes: Sequence[Plane]) -> bool:
    numbers = [number_of(plane) for plane in planes]
    return None not in numbers and len(set(numbers)) == len(numbers)
