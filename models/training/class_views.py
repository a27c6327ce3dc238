"""The two views of a place in a cube, varied as places and scanners vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from models.nodule_views import (
    VIEW_VOXELS,
    WIDE_MM,
    class_view_spacings_mm,
    nodule_views,
)
from models.training.degradation import degrade
from models.training.sites import cut_cube
from models.training.turning import free_turn
from preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preprocessing.working_volume import WorkingVolume

CUBE_VOXELS = 176
"""Edge of the cube at 1 mm that both views are cut from: the wide one's 160 mm, and some room."""

WIDE_VOXELS = int(WIDE_MM)
"""Voxels of the cube along the edge of one of the wide view."""


MOST_NOISE_HU = 60.0
"""Of what is added to a view of 1 mm voxels; of coarser ones, less."""


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """A cube at 1 mm that nodules are put into.

    Attributes:
        hu: float32, ``[z, y, x]``.
        start_zyx: The voxel of the volume it begins with.
        lung_labels: Of that volume.
    """

    hu: NDArray[np.float32]
    start_zyx: NDArray[np.int64]
    lung_labels: NDArray[np.uint8]

    def lung_share(self, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """How much of each voxel of a box is lung, its edge as soft as a scan's."""
        low = np.array([part.start for part in box])
        size = np.array([part.stop for part in box]) - low
        lung = cut_cube(self.lung_labels, self.start_zyx + low, int(size.max()), outside=0) > 0
        inside = lung[tuple(slice(n) for n in size)].astype(np.float32)
        share: NDArray[np.float32] = ndimage.gaussian_filter(inside, 0.7)
        return share


def cube_around(
    volume: WorkingVolume, centre_voxel_zyx: NDArray[np.float64]
) -> tuple[Cube, NDArray[np.float64]]:
    """The cube around a place, air beyond the volume, and the place in it."""
    start = np.rint(centre_voxel_zyx).astype(np.int64) - CUBE_VOXELS // 2
    cube = Cube(cut_cube(volume.hu, start, CUBE_VOXELS), start, volume.lung_labels)
    return cube, centre_voxel_zyx - start


def varied_views(
    cube: Cube,
    centre_zyx: NDArray[np.float64],
    diameter_mm: float,
    hu_window: tuple[float, float],
    *,
    turns: bool,
    degrades: bool,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Both views of a place, turned and flipped alike, maybe as another scanner might show them.

    Args:
        cube: Is not changed.
        centre_zyx: In its voxels.
        diameter_mm: As a detector tells it; a mass is seen from farther away.
        hu_window: HU that become 0 and 1.
        turns: Whether to turn by any angle and to scale; all are flipped, left and right and
            front and back.
        degrades: Whether another scanner is imitated, close up.
        rng: Decides.

    Returns:
        ``[2, 40, 40, 40]``.
    """
    spacings_mm = class_view_spacings_mm(diameter_mm)
    if turns:
        near, wide = _turned(cube.hu, centre_zyx, spacings_mm[0], rng)
    else:
        hu = np.rint(cube.hu).astype(np.int16)
        views = nodule_views(hu, (1.0, 1.0, 1.0), centre_zyx.tolist(), view_spacings_mm=spacings_mm)
        near, wide = views.astype(np.float32)
    if degrades:
        near = degrade(near, rng, most_noise_hu=MOST_NOISE_HU / spacings_mm[0])
        wide = wide + np.float32(rng.normal(0.0, 12.0))
    image = np.stack([near, wide])
    image = normalise_hu(image, hu_window)
    for axis in (2, 3):
        if rng.random() < 0.5:
            image = np.flip(image, axis)
    return np.ascontiguousarray(image)


def _turned(
    hu: NDArray[np.float32],
    centre_zyx: NDArray[np.float64],
    close_mm: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both views, turned and scaled at random, of means over their voxels."""
    matrix = free_turn(rng)
    coarse = hu
    for axis in range(3):  # one after the other: a mean over all three at once is ten times slower
        shape = (*coarse.shape[:axis], -1, WIDE_VOXELS, *coarse.shape[axis + 1 :])
        coarse = coarse.reshape(shape).mean(axis + 1)
    centre_of_coarse = (centre_zyx - (WIDE_VOXELS - 1) / 2) / WIDE_VOXELS
    parts = round(close_mm)
    fine = _sampled(hu, matrix * (close_mm / parts), centre_zyx, parts * VIEW_VOXELS)
    cells = fine.reshape(VIEW_VOXELS, parts, VIEW_VOXELS, parts, VIEW_VOXELS, parts)
    wide = _sampled(coarse, matrix, centre_of_coarse, VIEW_VOXELS)
    return cells.mean((1, 3, 5)), wide


def _sampled(
    hu: NDArray[np.float32],
    matrix: NDArray[np.float64],
    centre_zyx: NDArray[np.float64],
    voxels: int,
) -> NDArray[np.float32]:
    """A cube of so many voxels around a place, its outermost ones repeated beyond."""
    corner = centre_zyx - matrix @ np.full(3, (voxels - 1) / 2)
    sampled: NDArray[np.float32] = ndimage.affine_transform(
        hu, matrix, corner, output_shape=(voxels,) * 3, order=1, mode="nearest"
    )
    return sampled
