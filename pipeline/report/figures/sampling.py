"""Sample planes of a volume, and turn HU into grey values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates

from hounsfield.pipeline.report.figures.planes import Plane, plane_world_mm
from hounsfield.preprocessing.hu_rounding import AIR_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.findings import WorldPoint
    from hounsfield.preprocessing.volume import Volume


def sample_hu(
    volume: Volume,
    plane: Plane,
    centre_world_mm: WorldPoint,
    shape: tuple[int, int],
    mm_per_px: float,
) -> NDArray[np.float32]:
    """Sample the HU of a plane linearly from the native grid.

    Args:
        volume: The series on its native grid.
        plane: Orientation of the picture.
        centre_world_mm: Middle of the picture, (x, y, z) in LPS mm.
        shape: (rows, columns) of the picture.
        mm_per_px: Size of a pixel in mm.

    Returns:
        float32 HU, ``[row, column]``; darker than air outside the volume.
    """
    world_mm = plane_world_mm(plane, centre_world_mm, shape, mm_per_px)
    voxels_zyx = _voxels_zyx(volume, world_mm)
    # Half a voxel around the grid still belongs to its outermost voxels.
    nearest = np.clip(voxels_zyx, 0, np.array(volume.shape_zyx).reshape(3, 1, 1) - 1)
    hu = map_coordinates(volume.hu, nearest, output=np.float32, order=1)
    outside = (np.abs(voxels_zyx - nearest) > 0.5).any(axis=0)
    sampled: NDArray[np.float32] = np.where(outside, np.float32(AIR_HU * 2), hu)
    return sampled


def sample_nodule_fraction(
    volume: Volume,
    outline: Segmentation,
    plane: Plane,
    centre_world_mm: WorldPoint,
    shape: tuple[int, int],
    mm_per_px: float,
) -> NDArray[np.float32]:
    """Sample how much of each pixel of a plane is nodule.

    Args:
        volume: The series on whose native grid the outline lies.
        outline: Voxels of the nodule.
        plane: Orientation of the picture.
        centre_world_mm: Middle of the picture, (x, y, z) in LPS mm.
        shape: (rows, columns) of the picture.
        mm_per_px: Size of a pixel in mm.

    Returns:
        float32, 0 to 1, ``[row, column]``.
    """
    world_mm = plane_world_mm(plane, centre_world_mm, shape, mm_per_px)
    voxels_zyx = _voxels_zyx(volume, world_mm)
    inside = voxels_zyx - np.array(outline.start_zyx).reshape(3, 1, 1)
    fraction: NDArray[np.float32] = map_coordinates(
        outline.fraction, inside, output=np.float32, order=1
    )
    return fraction


def apply_window(
    hu: NDArray[np.integer] | NDArray[np.floating], centre_hu: float, width_hu: float
) -> NDArray[np.uint8]:
    """Map HU to grey values.

    Args:
        hu: HU of any shape.
        centre_hu: HU that becomes the middle grey.
        width_hu: Black is half a width below the centre, white half a width above.

    Returns:
        uint8 of the same shape.
    """
    scaled = (hu.astype(np.float32) - (centre_hu - width_hu / 2)) * (255 / width_hu)
    grey: NDArray[np.uint8] = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return grey


def enlarge(
    grey: NDArray[np.floating] | NDArray[np.uint8], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Resize a picture with bicubic interpolation.

    Args:
        grey: Grey values from 0 to 255, ``[row, column]``.
        shape: (rows, columns) of the result.

    Returns:
        uint8, ``[row, column]``.
    """
    image = Image.fromarray(np.rint(grey).astype(np.uint8))
    enlarged: NDArray[np.uint8] = np.array(image.resize(shape[::-1], Image.Resampling.BICUBIC))
    return enlarged


def _voxels_zyx(volume: Volume, world_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional voxels of a plane's pixels, ``[3, row, column]``."""
    return np.moveaxis(volume.voxel_xyz(world_mm)[..., ::-1], -1, 0)
