"""Branching trees that fill a lung: arteries, veins and bronchi.

A tree grows by parting the points it must reach, generation by generation, as in Tawhai et al.,
"CT-based geometry analysis and finite element models of the human and ovine bronchial tree",
J Appl Physiol 2004;97:2310. All branches of one generation are handled together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STEP = 0.42
"""Share of the way to the middle of its points that a branch goes before it parts."""
GENERATIONS = 22


@dataclass(frozen=True)
class Tree:
    """Branches, each a gentle curve from `start` to `end` (chest frame, mm).

    Attributes:
        start, end: Shape (n, 3).
        leaving: Direction in which each branch leaves its start, unit vectors, shape (n, 3).
        ends: Number of points that each branch feeds, shape (n,).
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
    """Grows a tree from `root` to every target point.

    Args:
        root: Where it begins, (x, y, z).
        direction: Where it heads there.
        targets: Points to reach, shape (n, 3).
        first_groups: The first parting, one label a target (the lobes); drawn when None.
    """
    targets = np.asarray(targets, dtype=np.float64)
    label = np.zeros(len(targets), np.int64)
    node = np.asarray(root, dtype=np.float64)[None, :]
    heading = _unit(np.asarray(direction, dtype=np.float64)[None, :])
    index = np.array([-1])
    parts: list[tuple[NDArray[np.float64], ...]] = []
    made = 0
    alive = np.ones(len(targets), bool)
    for generation in range(GENERATIONS):
        if generation == 0 and first_groups is not None:
            child_of = first_groups.astype(np.int64) - first_groups.min()
            key = child_of
        else:
            key = label[alive] * 2 + _side(targets[alive], label[alive], node, heading, rng)
        groups, inverse, counts = np.unique(key, return_inverse=True, return_counts=True)
        width = 2 if generation or first_groups is None else len(groups) + 8
        parent = groups // width if generation or first_groups is None else np.zeros(len(groups), int)
        middle = _means(targets[alive], inverse, len(groups))
        start, leaving = node[parent], heading[parent]
        step = np.where(counts == 1, 1.0, STEP * rng.uniform(0.85, 1.15, len(groups)))
        end = start + step[:, None] * (middle - start)
        parts.append((start, end, leaving, counts, index[parent]))
        index = made + np.arange(len(groups))
        made += len(groups)
        keep = counts > 1
        renumber = np.cumsum(keep) - 1
        label_alive = inverse
        still = keep[label_alive]
        alive_index = np.flatnonzero(alive)
        label[alive_index] = renumber[label_alive]
        alive[alive_index[~still]] = False
        node, index = end[keep], index[keep]
        heading = _unit(_unit(end - start)[keep] + 0.25 * leaving[keep])
        if not alive.any():
            break
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Tree(columns[0], columns[1], columns[2], columns[3].astype(int), columns[4].astype(int))


def _side(
    targets: NDArray[np.float64],
    label: NDArray[np.int64],
    node: NDArray[np.float64],
    heading: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Parts each group by a plane through its middle, across its longest spread off the heading."""
    count = len(node)
    middle = _means(targets, label, count)
    offset = targets - middle[label]
    ahead = _unit(_unit(middle - node) + 0.4 * heading)
    offset -= (offset * ahead[label]).sum(1)[:, None] * ahead[label]
    spread = np.empty((count, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            spread[:, i, j] = spread[:, j, i] = np.bincount(
                label, offset[:, i] * offset[:, j], minlength=count
            )
    values, vectors = np.linalg.eigh(spread)
    normal = vectors[:, :, 2]
    place = (offset * normal[label]).sum(1)
    size = np.sqrt(np.maximum(values[:, 2], 0) / np.bincount(label, minlength=count))
    cut = size * rng.uniform(-0.75, 0.75, count)
    side: NDArray[np.int64] = (place > cut[label]).astype(np.int64)
    # A group that the cut does not part would never end: cut it in the middle instead.
    ones = np.bincount(label, side, minlength=count)
    total = np.bincount(label, minlength=count)
    unparted = (ones == 0) | (ones == total)
    return np.where(unparted[label], (place > 0).astype(np.int64), side)


def curves(tree: Tree, pieces: int) -> NDArray[np.float64]:
    """Points along each branch, shape (n, pieces + 1, 3): a quadratic curve leaving its parent."""
    length = np.linalg.norm(tree.end - tree.start, axis=1)[:, None]
    control = tree.start + 0.38 * length * tree.leaving
    control = 0.55 * control + 0.45 * (tree.start + tree.end) / 2
    t = np.linspace(0, 1, pieces + 1)[None, :, None]
    points: NDArray[np.float64] = (
        (1 - t) ** 2 * tree.start[:, None]
        + 2 * t * (1 - t) * control[:, None]
        + t**2 * tree.end[:, None]
    )
    return points


def _means(points: NDArray[np.float64], label: NDArray[np.int64], count: int) -> NDArray[np.float64]:
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
