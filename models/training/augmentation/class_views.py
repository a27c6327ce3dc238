"""The two views of a place in a cube, varied as places and scanners vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.training.augmentation.degradation import degrade
from hounsfield.models.training.augmentation.rotation import free_turn
from hounsfield.models.training.augmentation.sites import cut_cube
from hounsfield.models.views.close_and_wide import VIEW_SPACINGS_MM, VIEW_VOXELS, nodule_views
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.working_volume import WorkingVolume

CUBE_VOXELS = 176
"""Edge of the cube at 1 mm that both views are cut from: the wide one's 160 mm, and some room."""

WIDE_VOXELS = int(VIEW_SPACINGS_MM[1])
"""Voxels of the cube along the edge of one of the wide view."""


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

    def lung_fraction(self, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
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
        hu_window: HU that become 0 and 1.
        turns: Whether to turn by any angle and to scale; all are flipped, left and right and
            front and back.
        degrades: Whether another scanner is imitated, close up.
        rng: Decides.

    Returns:
        ``[2, 40, 40, 40]``.
    """
    if turns:
        near, wide = _turned(cube.hu, centre_zyx, rng)
    else:
        hu = np.rint(cube.hu).astype(np.int16)
        views = nodule_views(hu, (1.0, 1.0, 1.0), centre_zyx.tolist())
        near, wide = views.astype(np.float32)
    if degrades:
        near, wide = degrade(near, rng), wide + np.float32(rng.normal(0.0, 12.0))
    image = np.stack([near, wide])
    image = normalise_hu(image, hu_window)
    for axis in (2, 3):
        if rng.random() < 0.5:
            image = np.flip(image, axis)
    return np.ascontiguousarray(image)


def _turned(
    hu: NDArray[np.float32], centre_zyx: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both views, turned and scaled at random; the wide one of means over its voxels."""
    matrix = free_turn(rng)
    middle = np.full(3, (VIEW_VOXELS - 1) / 2)
    coarse = hu
    for axis in range(3):  # one after the other: a mean over all three at once is ten times slower
        shape = (*coarse.shape[:axis], -1, WIDE_VOXELS, *coarse.shape[axis + 1 :])
        coarse = coarse.reshape(shape).mean(axis + 1)
    centre_of_coarse = (centre_zyx - (WIDE_VOXELS - 1) / 2) / WIDE_VOXELS
    near, wide = (
        ndimage.affine_transform(
            source,
            matrix,
            centre - matrix @ middle,
            output_shape=(VIEW_VOXELS,) * 3,
            order=1,
            mode="nearest",
        )
        for source, centre in ((hu, centre_zyx), (coarse, centre_of_coarse))
    )
    return near, wide
