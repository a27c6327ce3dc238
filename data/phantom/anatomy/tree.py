"""Branching trees that fill a lung: arteries, veins and bronchi.

A tree grows by parting the points it must reach, generation by generation, as in Tawhai et al.,
"CT-based geometry analysis and finite element models of the human and ovine bronchial tree",
J Appl Physiol 2004;97:2310. All branches of one generation are handled together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STEP = 0.42
"""Fraction of the way to the middle of its targets that a branch covers before it divides."""
GENERATIONS = 22


@dataclass(frozen=True)
class Tree:
    """Branches, each a gentle curve from `start` to `end` (chest frame, mm).

    Attributes:
        start: First point of each branch, shape (n, 3).
        end: Last point of each branch, shape (n, 3).
        leaving: Direction in which each branch leaves its start, unit vectors, shape (n, 3).
        ends: Number of targets that each branch supplies, shape (n,).
        parent: Index of the branch it comes from, -1 for a root.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    leaving: NDArray[np.float64]
    ends: NDArray[np.int64]
    parent: NDArray[np.int64]


def grow_tree(
    root: ArrayLike,
    direction: ArrayLike,
    targets: NDArray[np.floating],
    rng: np.random.Generator,
    *,
    first_groups: NDArray[np.integer] | None = None,
) -> Tree:
    """Grows a tree from a root to every target.

    Args:
        root: Start of the tree, (x, y, z) in the chest frame, mm.
        direction: Direction of the tree at its root, of any length.
        targets: Points to reach, shape (n, 3), chest frame, mm.
        rng: Random stream that decides how evenly each branch divides.
        first_groups: Label from 0 for each target (its lobe), by which the root divides; drawn when
            None.

    Returns:
        The branches, parents before their children.
    """
    points = np.asarray(targets, dtype=np.float64)
    branch_of = np.zeros(len(points), np.int64)
    node = np.asarray(root, dtype=np.float64)[None, :]
    heading = _unit(np.asarray(direction, dtype=np.float64)[None, :])
    index = np.array([-1], np.int64)
    parts: list[tuple[NDArray[Any], ...]] = []
    made = 0
    for generation in range(GENERATIONS):
        if generation == 0 and first_groups is not None:
            side = first_groups.astype(np.int64)
        else:
            side = _side(points, branch_of, node, heading, rng)
        sides = int(side.max()) + 1
        groups, inverse, counts = np.unique(
            branch_of * sides + side, return_inverse=True, return_counts=True
        )
        parent = groups // sides
        start, leaving = node[parent], heading[parent]
        step = np.where(counts == 1, 1.0, STEP * rng.uniform(0.85, 1.15, len(groups)))
        end = start + step[:, None] * (_means(points, inverse, len(groups)) - start)
        parts.append((start, end, leaving, counts.astype(np.int64), index[parent]))
        goes_on = counts > 1
        index = (made + np.arange(len(groups)))[goes_on]
        made += len(groups)
        node = end[goes_on]
        heading = _unit(_unit(end - start)[goes_on] + 0.25 * leaving[goes_on])
        points = points[goes_on[inverse]]
        branch_of = (np.cumsum(goes_on) - 1)[inverse][goes_on[inverse]].astype(np.int64)
        if not len(points):
            break
    start, end, leaving, ends, parents = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Tree(start, end, leaving, ends, parents)


def _side(
    points: NDArray[np.float64],
    branch_of: NDArray[np.int64],
    node: NDArray[np.float64],
    heading: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Parts each group by a plane through its middle, across its longest spread off the heading."""
    count = len(node)
    middle = _means(points, branch_of, count)
    offset = points - middle[branch_of]
    ahead = _unit(_unit(middle - node) + 0.4 * heading)[branch_of]
    offset -= (offset * ahead).sum(1)[:, None] * ahead
    spread = np.empty((count, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            spread[:, i, j] = spread[:, j, i] = np.bincount(
                branch_of, offset[:, i] * offset[:, j], minlength=count
            )
    values, vectors = np.linalg.eigh(spread)
    place = (offset * vectors[branch_of, :, 2]).sum(1)
    total = np.bincount(branch_of, minlength=count)
    cut = np.sqrt(np.maximum(values[:, 2], 0) / total) * rng.uniform(-0.75, 0.75, count)
    side = (place > cut[branch_of]).astype(np.int64)
    # A cut that leaves one side empty would never end the branch: cut in the middle instead.
    ones = np.bincount(branch_of, side, minlength=count)
    empty = (ones == 0) | (ones == total)
    parted: NDArray[np.int64] = np.where(empty[branch_of], place > 0, side).astype(np.int64)
    return parted


def curves(tree: Tree, chosen: NDArray[np.integer], pieces: int) -> NDArray[np.float64]:
    """Samples points along some branches, each a parabola that leaves in its parent's direction.

    Args:
        tree: The tree, chest frame, mm.
        chosen: Indices of the branches, shape (n,).
        pieces: Number of straight pieces into which each branch is cut.

    Returns:
        Points in the chest frame, shape (n, pieces + 1, 3).
    """
    start, end, leaving = tree.start[chosen], tree.end[chosen], tree.leaving[chosen]
    control = start + 0.38 * np.linalg.norm(end - start, axis=1)[:, None] * leaving
    control = 0.55 * control + 0.45 * (start + end) / 2
    t = np.linspace(0, 1, pieces + 1)[None, :, None]
    points: NDArray[np.float64] = (
        (1 - t) ** 2 * start[:, None] + 2 * t * (1 - t) * control[:, None] + t**2 * end[:, None]
    )
    return points


def _means(
    points: NDArray[np.float64], label: NDArray[np.integer], count: int
) -> NDArray[np.float64]:
    """Mean of the points of each label, shape (count, 3)."""
    number = np.maximum(np.bincount(label, minlength=count), 1)
    sums = [np.bincount(label, points[:, axis], minlength=count) for axis in range(3)]
    return np.stack(sums, axis=1) / number[:, None]


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scales each row to length 1."""
    unit: NDArray[np.float64] = vectors / np.maximum(
        np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9
    )
    return unit
