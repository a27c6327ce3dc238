"""The trees of both lungs: bronchi with the arteries beside them, and veins between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.anatomy.lungs import lobes
from hounsfield.data.phantom.anatomy.tree import curves, grow_tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.lungs import Lungs
    from hounsfield.data.phantom.anatomy.mediastinum import Mediastinum
    from hounsfield.data.phantom.anatomy.tree import Tree
    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.person import Person
    from hounsfield.data.phantom.settings import PhantomSettings

PIECE_MM = 1.6
END_RADIUS_MM = 0.32
GROWTH = 0.365
"""Radius = END_RADIUS_MM * ends ** GROWTH; Murray's law would have 1/3, lungs are measured
between 1/3 and 1/2.3 (Huang et al., J Appl Physiol 1996;81:2123)."""
AIRWAY_FROM_MM = 0.75


@dataclass(frozen=True)
class Tubes:
    """Short straight pieces, chest frame mm: `start`, `end` (n, 3) and `radius_mm` (n,)."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radius_mm: NDArray[np.float64]


@dataclass(frozen=True)
class LungVessels:
    """Arteries, veins and the bronchi's outer walls and lumens of both lungs."""

    arteries: Tubes
    veins: Tubes
    bronchi: Tubes
    bronchus_wall_mm: NDArray[np.float64]


def make_lung_vessels(
    grid: Grid,
    person: Person,
    settings: PhantomSettings,
    lungs: Lungs,
    mediastinum: Mediastinum,
    rng: np.random.Generator,
) -> LungVessels:
    """Grows the trees from the hila to points scattered through the lobes.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        person: Scales the radii of the vessels.
        settings: Number of terminal arteries and veins.
        lungs: The trees fill them, lobe by lobe.
        mediastinum: Supplies the hila, where the trees begin.
        rng: Random stream of the end points and the divisions.

    Returns:
        Pieces of tube in the chest frame, mm.
    """
    arteries: list[Tubes] = []
    veins: list[Tubes] = []
    bronchi: list[Tubes] = []
    points, lobe = _strewn(grid, lungs, settings.vessel_ends, rng)
    points_vein, lobe_vein = _strewn(grid, lungs, settings.vessel_ends, rng)
    scale = person.vessel_scale * (9000 / settings.vessel_ends) ** GROWTH
    for side, names, sign in (("right", (0, 1, 2), -1.0), ("left", (3, 4), 1.0)):
        mine = np.isin(lobe, names)
        if mine.sum() < 20:
            continue
        root = np.array(mediastinum.hila[f"hilar {side} artery"])
        tree = grow_tree(
            root, (sign, 0.25, -0.3), points[mine], rng, first_groups=lobe[mine] - names[0]
        )
        radius = END_RADIUS_MM * scale * tree.ends**GROWTH
        aside = _aside(tree, mediastinum.hila[f"hilar {side} bronchus"] - root)
        lumen = 0.72 * radius + 0.1
        arteries.append(_tubes(tree, radius, None))
        shift = aside * (radius + 1.25 * lumen + 0.35)[:, None]
        visible = lumen > AIRWAY_FROM_MM
        bronchi.append(_tubes(tree, lumen, shift, visible))
        for which, group in (("superior", names[:-1]), ("inferior", names[-1:])):
            mine = np.isin(lobe_vein, group)
            if mine.sum() < 20:
                continue
            root = np.array(mediastinum.hila[f"hilar {side} {which} vein"])
            tree = grow_tree(root, (sign, 0, 0.1), points_vein[mine], rng)
            veins.append(_tubes(tree, END_RADIUS_MM * scale * tree.ends**GROWTH, None))
    bronchi_all = _joined(bronchi)
    wall = 0.45 + 0.16 * bronchi_all.radius_mm
    return LungVessels(_joined(arteries), _joined(veins), bronchi_all, wall)


def _strewn(
    grid: Grid,
    lungs: Lungs,
    count: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Scatters points evenly through the lungs but not on the fissures; gives their lobes too."""
    inside = lungs.distance_mm < -2.0
    samples = np.flatnonzero(inside)
    chosen = samples[rng.integers(0, len(samples), int(count * 1.1))] if len(samples) else samples
    where = np.unravel_index(chosen, inside.shape)
    chest_x, chest_y, chest_z = grid.coarse_chest
    x, y, z = chest_x[where[1:]], chest_y[where[1:]], chest_z[where[0], 0, 0]
    clear = np.minimum(*(np.abs(f[where]) for f in lungs.fissures_mm)) > 1.5
    points = np.stack([x, y, z], axis=-1) + rng.uniform(-1.5, 1.5, (len(x), 3))
    return points[clear][:count], lobes(lungs, where, x)[clear][:count]


def _aside(tree: Tree, towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors across the branches, turning little from parent to child: to its bronchus."""
    along = tree.end - tree.start
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    aside = np.empty_like(along)
    # Parents come before children, generation by generation.
    depth = np.zeros(len(along), int)
    for index, parent in enumerate(tree.parent):
        depth[index] = 0 if parent < 0 else depth[parent] + 1
    for level in range(depth.max() + 1):
        now = np.flatnonzero(depth == level)
        before = np.broadcast_to(towards, (len(now), 3)) if level == 0 else aside[tree.parent[now]]
        across = before - (before * along[now]).sum(1)[:, None] * along[now]
        aside[now] = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    return aside


def _tubes(
    tree: Tree,
    radius: NDArray[np.float64],
    shift: NDArray[np.float64] | None,
    chosen: NDArray[np.bool_] | None = None,
) -> Tubes:
    """Cuts branches into pieces; the radius and shift pass smoothly from the parent's."""
    parent = np.where(tree.parent < 0, np.arange(len(radius)), tree.parent)
    length = np.linalg.norm(tree.end - tree.start, axis=1)
    pieces = np.clip(np.ceil(length / PIECE_MM).astype(int), 1, 40)
    parts: list[tuple[NDArray[np.float64], ...]] = []
    start_radius = np.minimum(radius[parent], 1.25 * radius)
    for count in np.unique(pieces):
        mine = pieces == count
        if chosen is not None:
            mine = mine & chosen
        index = np.flatnonzero(mine)
        if not len(index):
            continue
        line = curves(tree, index, int(count))
        t = np.linspace(0, 1, count + 1)
        if shift is not None:
            line = (
                line
                + shift[parent[index], None] * (1 - t[:, None])
                + shift[index, None] * t[:, None]
            )
        t = (t[:-1] + t[1:]) / 2
        width = start_radius[index, None] * (1 - t) ** 2 + radius[index, None] * (1 - (1 - t) ** 2)
        parts.append((line[:, :-1].reshape(-1, 3), line[:, 1:].reshape(-1, 3), width.ravel()))
    if not parts:
        return Tubes(np.empty((0, 3)), np.empty((0, 3)), np.empty(0))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Tubes(*columns)


def _joined(tubes: list[Tubes]) -> Tubes:
    """All pieces of several trees."""
    if not tubes:
        return Tubes(np.empty((0, 3)), np.empty((0, 3)), np.empty(0))
    return Tubes(
        np.concatenate([t.start for t in tubes]),
        np.concatenate([t.end for t in tubes]),
        np.concatenate([t.radius_mm for t in tubes]),
    )
