"""What a header promises, held against the file, the computer and the patient.

All of it is asked before anything is allocated.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.air_limits import HIGHEST_LUNG_HU
from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import position_rejection, size_rejection
from hounsfield.preprocessing.files.archives import MAX_RATIO, RATIO_FREE_BYTES
from hounsfield.preprocessing.formats.grid import spacing_of
from hounsfield.preprocessing.formats.hu_scale import STORED_OFFSET
from hounsfield.preprocessing.memory import memory_rejection
from hounsfield.preprocessing.volume import affine_fault, apply_affine

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DAMAGE_REMEDY: Final = "check the values of its header, or copy or convert it again"
"""What to do about a file that a library fails on: a header holds numbers that any program, or a
damaged disk, may have written."""

BEST_DEFLATE_RATIO: Final = 1032
"""The best that zlib's format can do."""


def check_grid(
    affine: NDArray[np.float64], shape_zyx: tuple[int, int, int], path: Path | str
) -> None:
    """Checks a header's geometry, before anything is allocated for it.

    Args:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        shape_zyx: Slices, rows, columns as the header states them.
        path: The file, for the error.

    Raises:
        SeriesError: An axis without voxels or length, too many voxels, sheared axes, or a size
            that no patient has.
    """
    rejection = size_rejection(shape_zyx, path)
    if rejection is not None:
        raise rejection
    fault = affine_fault(affine)
    if fault is not None:
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, fault, path=path)
    z, y, x = shape_zyx
    corners = apply_affine(affine, [(0, 0, 0), (x - 1, y - 1, z - 1)])
    rejection = size_rejection(shape_zyx, path, spacing_mm=spacing_of(affine))
    rejection = rejection or position_rejection(corners, path)
    if rejection is not None:
        raise rejection


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


def check_rest(
    shape_zyx: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    rest_bytes: int,
    path: Path | str,
) -> tuple[Notice, ...]:
    """Compares what a header promises with what follows the voxels in the file.

    A header that states too few rows, columns or slices leaves a plane of voxels over, and where
    rows are too short the image is sheared.

    Args:
        shape_zyx: Slices, rows, columns as the header states them.
        dtype: Type of the stored values.
        rest_bytes: Bytes behind the last voxel.
        path: The file, for the error.

    Returns:
        A notice if a few bytes are left.

    Raises:
        SeriesError: A plane of voxels or more is left.
    """
    if rest_bytes <= 0:
        return ()
    z, y, x = shape_zyx
    if rest_bytes >= smallest_plane_bytes(shape_zyx, dtype):
        msg = (
            f"At least {rest_bytes} bytes follow the {x} x {y} x {z} voxels of the header: it "
            "states too few, or data of another kind lie before them; convert the series again"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
    message = f"{rest_bytes} bytes follow the last voxel that the header states; they are not read."
    numbers = {"rest_bytes": rest_bytes}
    return (Notice(NoticeCode.HEADER_CONFLICT, message, numbers, path=str(path)),)


def smallest_plane_bytes(shape_zyx: tuple[int, int, int], dtype: np.dtype[np.generic]) -> int:
    """Returns the bytes of the smallest plane of voxels along two of the axes.

    Args:
        shape_zyx: Number of slices, rows and columns.
        dtype: Type of the stored values.
    """
    return math.prod(shape_zyx) // max(shape_zyx) * dtype.itemsize


def check_memory(
    shape_zyx: tuple[int, int, int], dtype: np.dtype[np.generic], path: Path | str
) -> None:
    """Asks whether the values and their HU fit into memory, before they are read.

    Args:
        shape_zyx: Number of slices, rows and columns.
        dtype: Type of the stored values, which are held beside their HU.
        path: The file, for the error.

    Raises:
        SeriesError: `out_of_memory`.
    """
    rejection = memory_rejection(shape_zyx, path, stored_bytes=dtype.itemsize)
    if rejection is not None:
        raise rejection


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
    ends = (limits.min * slope + intercept, limits.max * slope + intercept)
    if min(ends) <= HIGHEST_LUNG_HU or max(ends) >= 2 * STORED_OFFSET:
        return None  # or HU + 1024, which the values will show
    msg = (
        f"Values stored as {dtype.name} begin at {min(ends):g}, so they cannot represent air, near "
        "-1000 HU; this is a mask or not CT"
    )
    return SeriesError(Reason.NOT_CT, msg, path=path)
