"""Shared by MetaImage and NIfTI: one file is one series, its geometry one affine.

Both formats hold values that are taken for Hounsfield units as they stand, after the header's
slope and intercept. Whether they are CT at all shows only in what they could hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np

from hounsfield.preprocessing.codes import Notice, Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import size_rejection
from hounsfield.preprocessing.files.archives import MAX_RATIO, RATIO_FREE_BYTES
from hounsfield.preprocessing.volume import affine_fault, rounded_hu

if TYPE_CHECKING:
    import io
    from pathlib import Path

    from numpy.typing import NDArray

BEST_DEFLATE_RATIO: Final = 1032
"""The best that zlib's format can do."""
HIGHEST_AIR_HU: Final = -500
"""Values that cannot go this low hold no lungs: a mask, grey levels of a window, an MR."""


def check_grid(
    affine: NDArray[np.float64], shape_zyx: tuple[int, int, int], path: Path | str
) -> None:
    """Checks a header's geometry, before anything is allocated for it.

    Args:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        shape_zyx: Slices, rows, columns as the header states them.
        path: The file, for the error.

    Raises:
        SeriesError: An axis without voxels or length, too many voxels, or sheared axes.
    """
    rejection = size_rejection(shape_zyx, path)
    if rejection is not None:
        raise rejection
    fault = affine_fault(affine)
    if fault is not None:
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, fault, path=path)


def check_size(
    shape_zyx: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    present_bytes: int,
    path: Path | str,
    *,
    packed: bool,
) -> None:
    """Compares what a header promises with what the file can hold, before anything is allocated.

    Args:
        shape_zyx: Slices, rows, columns as the header states them.
        dtype: Type of the stored values.
        present_bytes: Length of the values in the file.
        path: The file, for the error.
        packed: Whether the values are compressed with deflate.

    Raises:
        SeriesError: Even at deflate's best ratio the file is too short.
    """
    expected = voxel_bytes(shape_zyx, dtype)
    if (present_bytes * BEST_DEFLATE_RATIO if packed else present_bytes) < expected:
        z, y, x = shape_zyx
        msg = (
            f"{x} x {y} x {z} voxels need {expected} bytes, {present_bytes} are there; the file "
            "is cut or its header is wrong"
        )
        raise SeriesError(Reason.TRUNCATED, msg, path=path)


def voxel_bytes(shape_zyx: tuple[int, int, int], dtype: np.dtype[np.generic]) -> int:
    """Returns the number of bytes of all stored values.

    Args:
        shape_zyx: Number of slices, rows and columns.
        dtype: Type of the stored values.
    """
    return math.prod(shape_zyx) * dtype.itemsize


def packed_too_well(
    shape_zyx: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    present_bytes: int,
    path: Path | str,
) -> SeriesError | None:
    """Returns an error if compressed values cannot be CT, whose noise does not compress.

    This keeps a decompression bomb from being unpacked.

    Args:
        shape_zyx: Number of slices, rows and columns.
        dtype: Type of the stored values.
        present_bytes: Length of the compressed values.
        path: The file, for the error.
    """
    unpacked = voxel_bytes(shape_zyx, dtype)
    if unpacked <= RATIO_FREE_BYTES or unpacked <= MAX_RATIO * present_bytes:
        return None
    msg = (
        f"{unpacked} bytes packed {unpacked // max(present_bytes, 1)} times are no CT, whose noise "
        "never packs so well; the file is not unpacked"
    )
    return SeriesError(Reason.NOT_CT, msg, path=path)


def cannot_hold_hu(
    dtype: np.dtype[np.generic], slope: float, intercept: float, path: Path | str
) -> SeriesError | None:
    """Returns an error if the type of the stored values cannot represent air; None if it can.

    Args:
        dtype: Type of the stored values; floats can hold anything.
        slope: HU for each step of the stored values.
        intercept: HU of the stored value 0.
        path: The file, for the error.
    """
    if dtype.kind not in "iu":
        return None
    limits = np.iinfo(dtype.name)
    lowest = min(limits.min * slope, limits.max * slope) + intercept
    if lowest <= HIGHEST_AIR_HU:
        return None
    msg = (
        f"Values stored as {dtype.name} begin at {lowest:g}, so they cannot represent air, near "
        "-1000 HU; this is a mask or not CT"
    )
    return SeriesError(Reason.NOT_CT, msg, path=path)


def to_hu(
    stored: NDArray[np.generic], slope: float, intercept: float, path: Path | str
) -> tuple[NDArray[np.int16], tuple[Notice, ...]]:
    """Converts stored values to HU, rounded to integers; padding becomes air.

    Args:
        stored: Values as the file holds them, any shape.
        slope: HU for each step of the stored values.
        intercept: HU of the stored value 0.
        path: The file, for the error.

    Returns:
        int16 in C order, and a notice if padding was replaced.

    Raises:
        SeriesError: Values are NaN or beyond what int16 holds.
    """
    scaled = cast("NDArray[np.floating]", stored)
    if (slope, intercept) != (1, 0):
        scaled = scaled * slope + intercept
    try:
        return rounded_hu(scaled)
    except ValueError as error:
        raise SeriesError(Reason.UNREADABLE, str(error), path=path) from error


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
