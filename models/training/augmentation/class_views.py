"""Random variants of the close and the wide view of a place, as the classifier sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.training.augmentation.degradation import degrade
from hounsfield.models.training.augmentation.rotation import free_rotation
from hounsfield.models.training.augmentation.sites import cut_cube
from hounsfield.models.views.close_and_wide import VIEW_SPACINGS_MM, VIEW_VOXELS, nodule_views
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.working_volume import WorkingVolume

CUBE_VOXELS = 176
"""Edge of the cube at 1 mm from which both views are cut: 160 mm for the wide one, and a margin."""

WIDE_VOXELS = int(VIEW_SPACINGS_MM[1])
"""Voxels of the cube along the edge of one voxel of the wide view."""


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """A cube at 1 mm to which nodules are added.

    Attributes:
        hu: float32, ``[z, y, x]``.
        start_zyx: First voxel of the cube, in voxels of the volume.
        lung_labels: Labels of the whole volume, 0 outside the lungs.
    """

    hu: NDArray[np.float32]
    start_zyx: NDArray[np.int64]
    lung_labels: NDArray[np.uint8]

    def lung_fraction(self, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Returns the fraction of lung in each voxel of a box, with edges as soft as a scan's."""
        low = np.array([part.start for part in box])
        size = np.array([part.stop for part in box]) - low
        lung = cut_cube(self.lung_labels, self.start_zyx + low, int(size.max()), outside=0) > 0
        inside = lung[tuple(slice(n) for n in size)].astype(np.float32)
        fraction: NDArray[np.float32] = ndimage.gaussian_filter(inside, 0.7)
        return fraction


def cube_around(
    volume: WorkingVolume, centre_voxel_zyx: NDArray[np.float64]
) -> tuple[Cube, NDArray[np.float64]]:
    """Cuts the cube around a place.

    Args:
        volume: Volume at 1 mm; what is beyond it becomes air.
        centre_voxel_zyx: Place in voxels of the volume, ``[3]``.

    Returns:
        The cube, and the place in voxels of the cube.
    """
    start = np.rint(centre_voxel_zyx).astype(np.int64) - CUBE_VOXELS // 2
    cube = Cube(cut_cube(volume.hu, start, CUBE_VOXELS), start, volume.lung_labels)
    return cube, centre_voxel_zyx - start


def varied_views(
    cube: Cube,
    centre_zyx: NDArray[np.float64],
    hu_window: tuple[float, float],
    *,
    rotate: bool,
    degraded: bool,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Cuts both views of a place, rotated and flipped alike, optionally degraded.

    Args:
        cube: Cube with the place; it is not changed.
        centre_zyx: Place in voxels of the cube, ``[3]``.
        hu_window: HU that are mapped to 0 and 1.
        rotate: Whether to rotate by any angle and to scale; all views are flipped at random, left
            to right and front to back.
        degraded: Whether to degrade the close view as another scanner would.
        rng: Source of all random choices.

    Returns:
        Close and wide view, ``[2, 40, 40, 40]``.
    """
    if rotate:
        near, wide = _rotated(cube.hu, centre_zyx, rng)
    else:
        hu = np.rint(cube.hu).astype(np.int16)
        views = nodule_views(hu, (1.0, 1.0, 1.0), centre_zyx.tolist())
        near, wide = views.astype(np.float32)
    if degraded:
        near, wide = degrade(near, rng), wide + np.float32(rng.normal(0.0, 12.0))
    image = np.stack([near, wide])
    image = normalise_hu(image, hu_window)
    for axis in (2, 3):
        if rng.random() < 0.5:
            image = np.flip(image, axis)
    return np.ascontiguousarray(image)


def _rotated(
    hu: NDArray[np.float32], centre_zyx: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both views, rotated and scaled at random; wide voxels are means over the cube's."""
    matrix = free_rotation(rng)
    middle = np.full(3, (VIEW_VOXELS - 1) / 2)
    coarse = hu
    for axis in range(3):  # one by one: a mean over all three at once is ten times slower
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
