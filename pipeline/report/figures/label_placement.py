"""Place the labels of rings so that none covers another; a label away from its ring has a leader.

The labels are placed one after the other, in the order of the rings. Each takes the cheapest
free place of the panel: beside its ring if it can, else farther out, joined to its ring by a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    _Array = NDArray[np.float64]

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels."""
Line = tuple[float, float, float, float]
"""(column, row) of its start and (column, row) of its end, in pixels."""

MAX_BESIDE_PX = 4.0
"""Largest gap between a ring and a label that needs no leader line."""
MIN_LEADER_PX = 9.0
"""A shorter leader line would not be seen as one."""
CLEARLY_NEARER_PX = 2.0
"""A label without a leader line is nearer to its own ring than to any other, by this much."""

_GAP_PX = 2.0
"""Between a ring and a label beside it."""
_SPACE_PX = 1.0
"""Between two labels."""
_DIRECTIONS = np.deg2rad((45, 135, 315, 225, 0, 180, 90, 270, 22, 158, 338, 202, 68, 112, 292, 248))
"""Counter-clockwise from the right; where several are free, the first is taken."""
_STEP_PX, _FINE_STEP_PX = 6.0, 1.0
"""Grid of places to try, and the one to try in a panel that is nearly full."""

# In pixels of leader line that are as bad.
_COST_OF_LEADER = 12.0
_COST_OVER_RING, _COST_OVER_MIDDLE = 14.0, 20.0
_COST_OVER_LEADER, _COST_LEADER_OVER_LABEL = 60.0, 90.0


@dataclass(frozen=True, slots=True)
class PlacedLabel:
    """Where a label is written.

    Attributes:
        box: The box of its text, in pixels.
        leader: The line from the ring to the box; None where the label is beside its ring.
    """

    box: Box
    leader: Line | None


def place_labels(
    circles: Sequence[tuple[float, float, float]],
    sizes: Sequence[tuple[float, float]],
    panel: tuple[float, float],
    *,
    reserved: Sequence[Box] = (),
) -> list[PlacedLabel | None]:
    """Place one label for each ring: boxes are disjoint, inside the panel and off reserved boxes.

    The same input gives the same places. Earlier rings choose first.

    Args:
        circles: (column, row) of each ring's centre and its radius, in pixels.
        sizes: (width, height) of each ring's label, in pixels.
        panel: (width, height) of the panel, in pixels.
        reserved: Boxes that hold other text, such as the title, in pixels.

    Returns:
        A label for each ring, in their order; None where the panel has no room for it.
    """
    rings = np.array(circles, dtype=np.float64).reshape(-1, 3)
    taken = np.array(reserved, dtype=np.float64).reshape(-1, 4)
    labels, leaders = np.empty((0, 4)), np.empty((0, 4))
    placed: list[PlacedLabel | None] = []
    for index, size in enumerate(sizes):
        choice = _cheapest(rings, index, size, panel, taken, labels, leaders)
        placed.append(choice)
        if choice is not None:
            labels = np.vstack((labels, choice.box))
            if choice.leader is not None:
                leaders = np.vstack((leaders, choice.leader))
    return placed


def gaps_px(boxes: NDArray[np.float64], rings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the distance from boxes to the lines of rings; 0 where a box lies over the line.

    Args:
        boxes: ``[n, 4]``: left, top, right, bottom, in pixels.
        rings: ``[m, 3]``: column, row and radius, in pixels.

    Returns:
        ``[n, m]``, in pixels.
    """
    nearest, farthest = _distances(boxes, rings)
    return np.maximum(np.maximum(nearest - rings[:, 2], rings[:, 2] - farthest), 0.0)


def _cheapest(
    rings: _Array,
    index: int,
    size: tuple[float, float],
    panel: tuple[float, float],
    reserved: _Array,
    labels: _Array,
    leaders: _Array,
) -> PlacedLabel | None:
    """The best free place of a ring's label; None where the panel is full."""
    for boxes, limit in _stages(rings[index], size, panel):
        free = _free(boxes, panel, np.vstack((reserved, labels)))
        if not len(free):
            continue
        costs, is_beside = _costs(free, rings, index, labels, leaders)
        best = int(np.argmin(costs))
        if costs[best] <= limit:
            leader = None if is_beside[best] else _four(_leaders(free[best, None], rings[index])[0])
            return PlacedLabel(_four(free[best]), leader)
    return None


def _stages(
    ring: _Array, size: tuple[float, float], panel: tuple[float, float]
) -> Iterator[tuple[_Array, float]]:
    """Boxes to try, and the cost up to which no later stage can be cheaper."""
    around = _beside(ring, size)
    yield around, _COST_OF_LEADER + MIN_LEADER_PX
    yield np.vstack((around, _grid(size, panel, _STEP_PX))), np.inf
    yield _grid(size, panel, _FINE_STEP_PX), np.inf


def _beside(ring: _Array, size: tuple[float, float]) -> _Array:
    """Boxes around a ring, each just outside it, ``[direction, 4]``."""
    width, height = size
    right, up = np.cos(_DIRECTIONS), np.sin(_DIRECTIONS)
    reach = ring[2] + _GAP_PX
    # On the diagonals the box's corner is nearest to the ring, elsewhere a point of its side.
    columns = ring[0] + reach * right + width / 2 * np.clip(np.sqrt(2) * right, -1, 1)
    rows = ring[1] - reach * up - height / 2 * np.clip(np.sqrt(2) * up, -1, 1)
    return _boxes(columns - width / 2, rows - height / 2, size)


def _grid(size: tuple[float, float], panel: tuple[float, float], step: float) -> _Array:
    """Boxes all over the panel, ``[n, 4]``."""
    lefts = np.arange(0.0, panel[0] - size[0] + 1e-9, step)
    tops = np.arange(0.0, panel[1] - size[1] + 1e-9, step)
    left, top = np.meshgrid(lefts, tops)
    return _boxes(left.ravel(), top.ravel(), size)


def _boxes(lefts: _Array, tops: _Array, size: tuple[float, float]) -> _Array:
    return np.stack((lefts, tops, lefts + size[0], tops + size[1]), axis=1)


def _free(boxes: _Array, panel: tuple[float, float], taken: _Array) -> _Array:
    """The boxes that lie inside the panel and on none that is taken."""
    inside = (boxes[:, :2] >= 0).all(axis=1) & (boxes[:, 2:] <= np.array(panel)).all(axis=1)
    boxes = boxes[inside]
    apart = (boxes[:, None, :2] >= taken[:, 2:] + _SPACE_PX) | (
        boxes[:, None, 2:] <= taken[:, :2] - _SPACE_PX
    )
    return boxes[np.all(np.any(apart, axis=2), axis=1)]


def _costs(
    boxes: _Array, rings: _Array, index: int, labels: _Array, leaders: _Array
) -> tuple[_Array, NDArray[np.bool_]]:
    """The cost of each box as the label of a ring, and whether it needs no leader line there."""
    nearest, _ = _distances(boxes, rings)
    gaps = gaps_px(boxes, rings)
    own = gaps[:, index]
    others = np.delete(gaps, index, axis=1).min(axis=1, initial=np.inf)
    outside = nearest[:, index] >= rings[index, 2]
    beside = outside & (own <= MAX_BESIDE_PX) & (others >= own + CLEARLY_NEARER_PX)
    costs = _COST_OVER_RING * (gaps == 0).sum(axis=1)
    costs += _COST_OVER_MIDDLE * (nearest < rings[:, 2] / 2).sum(axis=1)
    costs += _COST_OVER_LEADER * _crossing(leaders, boxes).sum(axis=0)
    lines = _leaders(boxes, rings[index])
    joined = own + _COST_OF_LEADER + _COST_LEADER_OVER_LABEL * _crossing(lines, labels).sum(axis=1)
    # Too short a line is taken only where there is nothing else.
    joined += np.where(own < MIN_LEADER_PX, 1e6, 0.0)
    costs += np.where(beside, 0.0, joined)
    # Differences in the last bits of the arithmetic must not decide.
    return np.round(costs, 3), beside


def _distances(boxes: _Array, rings: _Array) -> tuple[_Array, _Array]:
    """Distances of the rings' centres from the nearest and the farthest point of boxes."""
    before = boxes[:, None, :2] - rings[:, :2]
    after = rings[:, :2] - boxes[:, None, 2:]
    nearest = np.hypot(*np.moveaxis(np.maximum(np.maximum(before, after), 0.0), 2, 0))
    farthest = np.hypot(*np.moveaxis(np.maximum(np.abs(before), np.abs(after)), 2, 0))
    return nearest, farthest


def _leaders(boxes: _Array, ring: _Array) -> _Array:
    """Lines from a ring to each of some boxes, ``[n, 4]``."""
    centre = ring[:2]
    ends = np.clip(centre, boxes[:, :2], boxes[:, 2:])
    corners = np.where(centre < (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:], boxes[:, :2])
    inside = np.hypot(*(ends - centre).T) < ring[2]
    ends = np.where(inside[:, None], corners, ends)
    away = ends - centre
    length = np.hypot(*away.T)[:, None]
    # A box exactly over the centre has no direction; its line goes up.
    direction = np.where(length > 0, away / np.maximum(length, 1e-9), (0.0, -1.0))
    return np.hstack((centre + ring[2] * direction, ends))


def _crossing(lines: _Array, boxes: _Array) -> NDArray[np.bool_]:
    """Whether each line passes through each box, ``[line, box]`` (Liang and Barsky's clipping)."""
    start, step = lines[:, None, :2], (lines[:, 2:] - lines[:, :2])[:, None]
    step = np.where(np.abs(step) < 1e-9, 1e-9, step)
    first, second = (boxes[:, :2] - start) / step, (boxes[:, 2:] - start) / step
    enter = np.minimum(first, second).max(axis=2)
    leave = np.maximum(first, second).min(axis=2)
    crossing: NDArray[np.bool_] = np.maximum(enter, 0.0) < np.minimum(leave, 1.0)
    return crossing


def _four(values: _Array) -> tuple[float, float, float, float]:
    first, second, third, fourth = (float(value) for value in values)
    return first, second, third, fourth
