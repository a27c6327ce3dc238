"""Rotates, scales and flips crops together with their nodules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hounsfield.models.training.augmentation.crop import CropNodule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ZOOM_RANGE = (0.85, 1.2)
MAX_ROTATION_DEGREES, MAX_TILT_DEGREES = 25.0, 8.0
"""Largest rotation about the long axis of the body, and about the two other axes."""


def rotated_crop(
    hu: NDArray[np.float32],
    nodules: Sequence[CropNodule],
    size: int,
    *,
    free_rotation_probability: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], list[CropNodule]]:
    """Cuts the middle cube, rotated and flipped at random.

    Args:
        hu: A cube larger than `size`, ``[z, y, x]``, at 1 mm.
        nodules: Nodules in voxels of that cube.
        size: Edge of the returned cube in voxels.
        free_rotation_probability: Probability of a rotation by any angle and a scale, which
            interpolates; all crops are flipped and rotated by quarter turns in the plane.
        rng: Source of all random choices.

    Returns:
        The cube, and the nodules in its voxels.
    """
    matrix = free_rotation(rng) if rng.random() < free_rotation_probability else np.eye(3)
    middle_in, middle_out = (np.array(hu.shape) - 1) / 2, np.full(3, (size - 1) / 2)
    offset = middle_in - matrix @ middle_out
    if np.array_equal(matrix, np.eye(3)):
        start = np.floor(offset).astype(int)
        offset = start.astype(np.float64)
        cube = hu[tuple(slice(a, a + size) for a in start)]
    else:
        cube = ndimage.affine_transform(
            hu, matrix, offset, output_shape=(size,) * 3, order=1, mode="nearest"
        )
    zoom = float(np.linalg.det(matrix)) ** (-1 / 3)
    inverse = np.linalg.inv(matrix)
    moved = [
        CropNodule.at(
            inverse @ (np.array(nodule.centre_zyx) - offset),
            nodule.diameter_mm * zoom,
            ignored=nodule.ignored,
        )
        for nodule in nodules
    ]
    return flipped(cube, moved, rng)


def free_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Samples a rotation by any angle and a scale.

    Args:
        rng: Source of all random choices.

    Returns:
        Matrix ``[3, 3]`` that maps offsets (z, y, x) in the result to offsets in the source.
    """
    angles = rng.uniform(-1, 1, 3) * (MAX_ROTATION_DEGREES, MAX_TILT_DEGREES, MAX_TILT_DEGREES)
    matrix: NDArray[np.float64] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return matrix / float(rng.uniform(*ZOOM_RANGE))  # axis x of the rotation is axis z here


def flipped(
    hu: NDArray[np.float32], nodules: Sequence[CropNodule], rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[CropNodule]]:
    """Flips along each axis, and rotates by a quarter turn in the plane, each at random.

    Args:
        hu: A cube, ``[z, y, x]``.
        nodules: Nodules in voxels of that cube.
        rng: Source of all random choices.

    Returns:
        The cube, and the nodules in its voxels.
    """
    size = hu.shape[0]
    centres = np.array([nodule.centre_zyx for nodule in nodules]).reshape(-1, 3)
    for axis in range(3):
        if rng.random() < 0.5:
            hu = np.flip(hu, axis)
            centres[:, axis] = size - 1 - centres[:, axis]
    if rng.random() < 0.5:
        hu = hu.swapaxes(1, 2)
        centres[:, [1, 2]] = centres[:, [2, 1]]
    moved = [
        CropNodule.at(centre, nodule.diameter_mm, ignored=nodule.ignored)
        for centre, nodule in zip(centres, nodules, strict=True)
    ]
    return np.ascontiguousarray(hu), moved


def flip_channels(cubes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Flips along each axis, and rotates by a quarter turn in the plane, each at random.

    Args:
        cubes: Channels that are changed alike, ``[channel, z, y, x]``.
        rng: Source of all random choices.

    Returns:
        An array of the same shape.
    """
    for axis in (1, 2, 3):
        if rng.random() < 0.5:
            cubes = np.flip(cubes, axis)
    if rng.random() < 0.5:
        cubes = cubes.swapaxes(2, 3)
    return np.ascontiguousarray(cubes)
