"""What MetaImage and NIfTI have in common: one file is one series, its geometry one affine.

Both formats hold values that are taken for Hounsfield units as they stand, after the header's
slope and intercept; whether they are CT at all can only be told from what they could hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.archives import MAX_RATIO, RATIO_FREE_BYTES
from hounsfield.preprocessing.volume import AIR_HU

if TYPE_CHECKING:
    import io

    from numpy.typing import NDArray

BEST_DEFLATE_RATIO: Final = 1032
"""Of zlib's format; nothing packs better."""
SHEAR_TOLERANCE: Final = 1e-3
"""Cosine between two axes: 0.3 mm over a chest."""
MAX_VOXELS: Final = 2**30
"""A chest at 1024 x 1024 with 1,024 slices; more is a header that lies."""
HIGHEST_AIR_HU: Final = -500
"""Values that cannot get this low hold no lungs: a mask, a window's grey levels, an MR."""
MIN_HU: Final = -1024
"""Lower values were never measured: scanners pad with -2000, and tools add the intercept to it."""


def check_grid(affine: NDArray[np.float64], shape_zyx: tuple[int, int, int], label: str) -> None:
    """Checks a header's geometry, before anything is allocated for it.

    Raises:
        SeriesError: An axis without voxels or length, too many voxels, or sheared axes.
    """
    if min(shape_zyx) < 1 or np.prod(shape_zyx, dtype=float) > MAX_VOXELS:
        z, y, x = shape_zyx
        msg = f"{label}: {x} x {y} x {z} voxels are not a CT volume; the header is wrong"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    spacing_mm = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not (spacing_mm > 0).all():
        msg = f"{label}: the affine must be finite with 3 axes, got spacing {spacing_mm} mm"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    cosines = affine[:3, :3] / spacing_mm
    shear = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if shear > SHEAR_TOLERANCE:
        degrees = np.degrees(np.arcsin(min(shear, 1.0)))
        msg = (
            f"{label}: the axes must be at right angles, got {degrees:.2f} degrees off; a tilted"
            " stack is corrected only from its DICOM files"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)


def check_size(
    shape_zyx: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    bytes_there: int,
    label: str,
    *,
    packed: bool,
) -> None:
    """Compares what a header promises with what can be there, before anything is allocated.

    Raises:
        SeriesError: Even at deflate's best the file is too short.
    """
    wanted = voxel_bytes(shape_zyx, dtype)
    if (bytes_there * BEST_DEFLATE_RATIO if packed else bytes_there) < wanted:
        z, y, x = shape_zyx
        msg = (
            f"{label}: {x} x {y} x {z} voxels need {wanted} bytes, {bytes_there} are there; the"
            " file is cut or its header is wrong"
        )
        raise SeriesError(Reason.TRUNCATED, msg)


def voxel_bytes(shape_zyx: tuple[int, int, int], dtype: np.dtype[np.generic]) -> int:
    """Bytes of all stored values."""
    return math.prod(shape_zyx) * dtype.itemsize


def packed_too_well(
    shape_zyx: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    bytes_there: int,
    label: str,
) -> SeriesError | None:
    """Says that packed values can be no CT, since noise does not pack; None if they may.

    This keeps a bomb from being unpacked.
    """
    wanted = voxel_bytes(shape_zyx, dtype)
    if wanted <= RATIO_FREE_BYTES or wanted <= MAX_RATIO * bytes_there:
        return None
    msg = (
        f"{label}: {wanted} bytes packed {wanted // max(bytes_there, 1)} times are no CT, whose"
        " noise never packs so well; it is not unpacked"
    )
    return SeriesError(Reason.NOT_CT, msg)


def cannot_hold_hu(
    dtype: np.dtype[np.generic], slope: float, intercept: float, label: str
) -> SeriesError | None:
    """Says why stored values can be no CT, judged by what their type can hold; None if they may."""
    if dtype.kind not in "iu":
        return None
    limits = np.iinfo(dtype.name)
    lowest = min(limits.min * slope, limits.max * slope) + intercept
    if lowest <= HIGHEST_AIR_HU:
        return None
    msg = (
        f"{label}: values stored as {dtype.name} begin at {lowest:g}, so air, near -1000 HU,"
        " has no place in them; this is a mask or no CT"
    )
    return SeriesError(Reason.NOT_CT, msg)


def to_hu(
    stored: NDArray[np.generic], slope: float, intercept: float, label: str
) -> tuple[NDArray[np.int16], tuple[Notice, ...]]:
    """Turns stored values into HU, rounded to integers; padding becomes air.

    Returns:
        int16 in C order, and a notice where padding was replaced.

    Raises:
        SeriesError: Values that are no numbers, or beyond what int16 holds.
    """
    scaled = cast("NDArray[np.floating]", stored)
    if (slope, intercept) != (1, 0):
        scaled = scaled * slope + intercept
    lowest, highest = float(scaled.min()), float(scaled.max())
    limits = np.iinfo(np.int16)
    if not (limits.min <= lowest and highest <= limits.max):  # also true of NaN
        msg = f"{label}: HU must lie in [{limits.min}, {limits.max}], got [{lowest}, {highest}]"
        raise SeriesError(Reason.UNREADABLE, msg)
    if scaled.dtype.kind == "f":
        scaled = np.rint(scaled)
    hu = np.array(scaled, dtype=np.int16, order="C")
    if lowest >= MIN_HU:
        return hu, ()
    padding = hu < MIN_HU
    hu[padding] = AIR_HU
    count = int(padding.sum())
    message = f"{count} voxels below {MIN_HU} HU are padding and were set to {AIR_HU} HU."
    numbers = {"voxels": count, "lowest_hu": lowest}
    return hu, (Notice(NoticeCode.PADDING_REPLACED, message, numbers),)


def read_into(file: BinaryIO, buffer: memoryview) -> int:
    """Fills a buffer of bytes from a file; returns how many there were."""
    reader = cast("io.BufferedIOBase", file)
    got = 0
    while got < len(buffer):
        count = reader.readinto(buffer[got:])
        if not count:
            break
        got += count
    return got


def right_handed(
    hu: NDArray[np.int16], affine: NDArray[np.float64]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Reverses one axis of a left-handed grid, so that slices rise along rows x columns.

    DICOM's slices, sorted along their normal, always do; converters that turn the rows
    upside down (dcm2niix) leave a left-handed grid. Of an axial stack the one axis that runs
    against the patient's is reversed, else the rows: the converter's own turn is undone.
    """
    if np.linalg.det(affine[:3, :3]) > 0:
        return hu, affine
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    against = np.flatnonzero(np.diag(cosines) < 0)
    is_axial = bool((np.abs(np.diag(cosines)) > 0.5).all())
    axis = int(against[0]) if is_axial and len(against) == 1 else 1
    turned = affine.copy()
    turned[:3, 3] += affine[:3, axis] * (hu.shape[2 - axis] - 1)
    turned[:3, axis] *= -1
    return np.ascontiguousarray(np.flip(hu, 2 - axis)), turned
