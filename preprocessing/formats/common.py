"""Shared by MetaImage and NIfTI: one file is one series, its geometry one affine.

Both formats hold values that are taken for Hounsfield units, after the header's slope and
intercept, where their distribution says that they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import crop_rejection
from hounsfield.preprocessing.formats.hu_scale import hu_intercept
from hounsfield.preprocessing.geometry.reorient import to_upright
from hounsfield.preprocessing.hu_rounding import rounded_hu

if TYPE_CHECKING:
    import io
    from pathlib import Path

    from numpy.typing import NDArray

    from hounsfield.preprocessing.codes import Notice


def spacing_of(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """Returns the distance of voxel centres along (x, y, z) of the array, in mm.

    Args:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
    """
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    return (x, y, z)


def crop_rejection_of(
    shape_zyx: tuple[int, int, int], affine: NDArray[np.float64], path: Path | str
) -> SeriesError | None:
    """Returns why a file is too small to be a chest, in whatever order its voxels are stored.

    Args:
        shape_zyx: Number of slices, rows and columns as stored.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        path: The file, for the error.
    """
    order = to_upright(affine).order_zyx
    z, y, x = (shape_zyx[axis] for axis in order)
    spacing = spacing_of(affine)
    across, down, along = (spacing[2 - axis] for axis in reversed(order))
    return crop_rejection((z, y, x), (across, down, along), path)


def to_hu(
    stored: NDArray[np.generic],
    affine: NDArray[np.float64],
    path: Path | str,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> tuple[NDArray[np.int16], tuple[Notice, ...]]:
    """Converts stored values to HU, rounded to integers; padding becomes air.

    Args:
        stored: Values as the file holds them, ``[z, y, x]``.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        path: The file, for the error.
        slope: HU for each step of the stored values.
        intercept: HU of the stored value 0.

    Returns:
        int16 in C order, and notices if padding was replaced or an offset subtracted.

    Raises:
        SeriesError: Values are no HU, NaN, or beyond what int16 holds.
    """
    z, y, x = stored.shape
    is_crop = crop_rejection_of((z, y, x), affine, path) is not None
    intercept, notices = hu_intercept(stored, slope, intercept, str(path), is_crop=is_crop)
    try:
        hu, padding = rounded_hu(stored, slope=slope, intercept=intercept)
    except ValueError as error:
        raise SeriesError(Reason.UNREADABLE, str(error), path=path) from error
    return hu, notices + padding


def read_into(file: BinaryIO, buffer: memoryview) -> int:
    """Fills a buffer from a file.

    Args:
        file: Open for reading, at the first byte to read.
        buffer: Writable bytes; what the file does not fill keeps its content.

    Returns:
        The number of bytes read, fewer than the buffer has only at the end of the file.
    """
    reader = cast("io.BufferedIOBase", file)
    filled = 0
    while filled < len(buffer):
        count = reader.readinto(buffer[filled:])
        if not count:
            break
        filled += count
    return filled


def right_handed(
    hu: NDArray[np.int16], affine: NDArray[np.float64]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Reverses one axis of a left-handed grid, so that slices rise along rows x columns.

    DICOM slices, sorted along their normal, always do; converters that turn the rows upside
    down (dcm2niix) leave a left-handed grid. In an axial stack the one axis that runs against
    the patient's is reversed, otherwise the rows: this undoes what the converter did.

    Args:
        hu: int16, ``[z, y, x]``.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.

    Returns:
        Array and affine of the same voxels in a right-handed grid; the arguments themselves if
        it is right-handed already.
    """
    if np.linalg.det(affine[:3, :3]) > 0:
        return hu, affine
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    against = np.flatnonzero(np.diag(cosines) < 0)
    is_axial = bool((np.abs(np.diag(cosines)) > 0.5).all())
    axis = int(against[0]) if is_axial and len(against) == 1 else 1
    reversed_affine = affine.copy()
    reversed_affine[:3, 3] += affine[:3, axis] * (hu.shape[2 - axis] - 1)
    reversed_affine[:3, axis] *= -1
    return np.ascontiguousarray(np.flip(hu, 2 - axis)), reversed_affine
