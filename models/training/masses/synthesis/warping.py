"""Warps a chest into another person: rotated, scaled, bent, with organs of other sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import grid_sample

from hounsfield.models.training.masses.synthesis.fields import resized, smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.training.masses.chests import Chest
    from hounsfield.models.training.masses.synthesis.fields import Field

COARSE = 4
"""The displacement field is computed on every fourth voxel."""

MIRROR_PROBABILITY = 0.3
BEND_VOXELS, BEND_WAVELENGTH = 2.2, 26.0
"""Largest standard deviation of the bending, 7 mm, and its wavelength, 80 mm."""


def warp_chest(chest: Chest, rng: np.random.Generator) -> Chest:
    """Warps a chest at random; beyond its edge there is air.

    Args:
        chest: The chest to warp; it is not changed.
        rng: Source of every random choice.

    Returns:
        A chest of the same shape with warped HU, lungs and ignored voxels.
    """
    if rng.random() < MIRROR_PROBABILITY:
        chest = _mirrored(chest)
    shape = chest.hu.shape
    positions = _sampling_positions(chest.lungs, rng)
    channels = np.stack(
        [
            chest.hu.astype(np.float32) + 1024,
            (chest.lungs == 1).astype(np.float32),
            (chest.lungs == 2).astype(np.float32),
            chest.ignored.astype(np.float32),
        ]
    )
    scale = np.array([2 / max(1, n - 1) for n in shape], np.float32)[:, None, None, None]
    grid = resized(positions * scale - 1, shape)
    moved = grid_sample(
        torch.from_numpy(channels)[None],
        torch.from_numpy(np.ascontiguousarray(grid[::-1].transpose(1, 2, 3, 0)))[None],
        align_corners=True,
    )[0].numpy()
    lungs = (moved[1] > 0.5).astype(np.uint8) + 2 * (moved[2] > 0.5).astype(np.uint8)
    hu = (moved[0] - 1024).astype(np.int16)
    return replace(chest, hu=hu, lungs=np.minimum(lungs, 2), ignored=moved[3] > 0.5)


def _mirrored(chest: Chest) -> Chest:
    """The chest with right and left exchanged."""
    labels = np.array([0, 2, 1], np.uint8)[chest.lungs[:, :, ::-1]]
    return replace(chest, hu=chest.hu[:, :, ::-1], lungs=labels, ignored=chest.ignored[:, :, ::-1])


def _sampling_positions(lungs: NDArray[np.uint8], rng: np.random.Generator) -> Field:
    """For each coarse voxel of the new chest its index in the old one, ``[3, z, y, x]``."""
    shape = np.array(lungs.shape)
    coarse = [max(4, int(n) // COARSE) for n in shape]
    axes = [np.linspace(0, n - 1, m, dtype=np.float32) for n, m in zip(shape, coarse, strict=True)]
    positions = np.stack(np.meshgrid(*axes, indexing="ij"))
    middle = ((shape - 1) / 2).astype(np.float32)[:, None, None, None]
    from_middle = positions - middle
    positions = np.einsum("ij,jzyx->izyx", _linear(rng), from_middle) + middle
    bend = BEND_VOXELS * rng.random()
    positions += bend * np.stack(
        [smooth_noise(rng, coarse, BEND_WAVELENGTH / COARSE) for _ in shape]
    )
    for change in (_grow_heart, _raise_domes, _widen_mediastinum, _bulge_vessels):
        positions = change(positions, lungs, rng)
    return positions.astype(np.float32)


def _linear(rng: np.random.Generator) -> NDArray[np.float32]:
    """Rotation, scale and shear from the new chest to the old, 3 x 3 in (z, y, x)."""
    turn = np.eye(3)
    for first, second, degrees in ((1, 2, 7.0), (0, 2, 4.0), (0, 1, 4.0)):
        angle = np.deg2rad(rng.normal(0, degrees))
        part = np.eye(3)
        part[first, first] = part[second, second] = np.cos(angle)
        part[first, second], part[second, first] = np.sin(angle), -np.sin(angle)
        turn = turn @ part
    size = rng.normal(1, 0.07) * rng.normal(1, 0.06, 3)
    shear = np.eye(3) + rng.normal(0, 0.03, (3, 3)) * (1 - np.eye(3))
    return np.asarray(turn @ shear @ np.diag(1 / size), dtype=np.float32)


def _frame(lungs: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First voxel and size of the box around the lungs, (z, y, x)."""
    inside = np.argwhere(lungs[::2, ::2, ::2]) * 2
    if not len(inside):
        return np.zeros(3), np.array(lungs.shape, float)
    low, high = inside.min(axis=0), inside.max(axis=0)
    return low.astype(float), (high - low + 1).astype(float)


def _magnified(
    positions: Field,
    centre_zyx: NDArray[np.float64],
    radii: tuple[float, float, float],
    magnification: float,
) -> Field:
    """Magnifies around a centre by a fraction that falls off as a Gaussian of these radii."""
    centre = np.asarray(centre_zyx, np.float32)[:, None, None, None]
    away = positions - centre
    width = np.array(radii, np.float32)[:, None, None, None]
    bell = np.exp(-0.5 * ((away / width) ** 2).sum(axis=0))
    result: Field = centre + away * (1 - magnification * bell)
    return result


def _grow_heart(positions: Field, lungs: NDArray[np.uint8], rng: np.random.Generator) -> Field:
    """Magnifies or shrinks the heart."""
    low, size = _frame(lungs)
    centre = low + size * (0.3, 0.35, rng.uniform(0.5, 0.6)) + rng.normal(0, 3, 3)
    magnification = rng.uniform(-0.2, 0.45) if rng.random() < 0.7 else 0.0
    radius = rng.uniform(10, 18)
    return _magnified(positions, centre, (radius, radius, radius), magnification)


def _raise_domes(positions: Field, lungs: NDArray[np.uint8], rng: np.random.Generator) -> Field:
    """Raises each side of the diaphragm by up to 54 mm, or lowers it by up to 9 mm."""
    low, size = _frame(lungs)
    for side in (0.25, 0.75):
        if rng.random() < 0.4:
            continue
        lift = float(rng.choice([rng.uniform(-3, 5), rng.uniform(4, 18)], p=[0.65, 0.35]))
        y = low[1] + size[1] * rng.uniform(0.3, 0.65)
        x = low[2] + size[2] * (side + rng.normal(0, 0.05))
        # Wide enough along z that the field does not fold: its steepest slope is 0.86 / width.
        width_z = max(9.0, 1.3 * abs(lift))
        z = low[0] + 0.15 * size[0] + lift / 2
        lateral = rng.uniform(8, 16)
        bell = np.exp(
            -0.5 * ((positions[0] - z) / width_z) ** 2
            - 0.5
            * (((positions[1] - y) / (1.3 * lateral)) ** 2 + ((positions[2] - x) / lateral) ** 2)
        )
        positions = positions.copy()
        positions[0] -= np.float32(lift) * bell
    return positions


def _widen_mediastinum(
    positions: Field, lungs: NDArray[np.uint8], rng: np.random.Generator
) -> Field:
    """Widens or narrows the mediastinum at one height, and shifts it to one side."""
    low, size = _frame(lungs)
    centre = low + size * (rng.uniform(0.3, 0.9), rng.uniform(0.25, 0.7), 0.5)
    away = [positions[axis] - np.float32(centre[axis]) for axis in range(3)]
    bell = np.exp(-0.5 * ((away[0] / 14) ** 2 + (away[1] / 18) ** 2 + (away[2] / 12) ** 2))
    magnification = rng.uniform(-0.25, 0.55) if rng.random() < 0.6 else 0.0
    moved = positions.copy()
    moved[2] = centre[2] + away[2] * (1 - magnification * bell)
    if rng.random() < 0.4:
        tall = np.exp(-0.5 * ((away[0] / 30) ** 2 + (away[2] / 18) ** 2))
        moved[2] -= np.float32(rng.normal(0, 4)) * tall
    result: Field = moved.astype(np.float32)
    return result


def _bulge_vessels(positions: Field, lungs: NDArray[np.uint8], rng: np.random.Generator) -> Field:
    """Magnifies up to three parts of the mediastinum: arch, aorta, hilar vessels."""
    low, size = _frame(lungs)
    for _ in range(rng.integers(0, 4)):
        centre = low + size * (
            rng.uniform(0.3, 0.85), rng.uniform(0.35, 0.8), rng.uniform(0.38, 0.64)
        )  # fmt: skip
        radius = rng.uniform(4, 9)
        positions = _magnified(
            positions, centre, (1.4 * radius, radius, radius), rng.uniform(-0.15, 0.5)
        )
    return positions
