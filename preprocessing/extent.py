"""The limits on the size of a series: one rule for DICOM, MetaImage and NIfTI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pathlib import Path

MIN_SLICES: Final = 8
"""Fewer slices are no scan of a chest."""

MIN_STACK_MM: Final = 40
"""Number of slices times their spacing; less holds no lung that could be searched."""

MIN_PLANE_MM: Final = 150
"""Sides of an axial slice in a file without provenance. The narrowest reconstruction of one adult
lung is wider; crops around a nodule are not."""

LENGTH_TOLERANCE: Final = 0.01
"""Fraction of a length: a spacing is fitted to positions, and 8 slices of 5 mm may come out as
39.999 mm."""

MAX_VOXELS: Final = 2**30
"""A chest at 1024 x 1024 with 1,024 slices; a header that promises more is wrong."""


def stack_rejection(
    slices: int, spacing_mm: float, path: Path | str | None = None
) -> SeriesError | None:
    """Returns why a stack is too short to be a chest scan; None if it is long enough.

    This holds for every format.

    Args:
        slices: Number of slices, missing ones that are interpolated included.
        spacing_mm: Distance of slice centres along the normal.
        path: The file or folder, for the error.
    """
    stack_mm = slices * spacing_mm
    if slices >= MIN_SLICES and stack_mm >= MIN_STACK_MM * (1 - LENGTH_TOLERANCE):
        return None
    noun = "slice" if slices == 1 else "slices"
    msg = (
        f"{slices} {noun} over {stack_mm:.1f} mm are no chest scan, which takes at least "
        f"{MIN_SLICES} slices and {MIN_STACK_MM} mm"
    )
    return SeriesError(Reason.TOO_FEW_SLICES, msg, path=path)


def crop_rejection(
    shape_zyx: tuple[int, int, int], spacing_mm: tuple[float, float, float], path: Path | str
) -> SeriesError | None:
    """Returns why a MetaImage or NIfTI file is too small to be a chest; None if it may be one.

    The size of a slice counts here and not for DICOM. A file without provenance that is narrower
    than `MIN_PLANE_MM` is a crop made by some program, most often around a nodule. A DICOM series
    has the field of view that was reconstructed at the scanner: that of an infant, or of a part
    of one lung, is narrower and still worth reading, and `find_lungs` refuses what is no chest.

    Args:
        shape_zyx: Number of slices, rows and columns.
        spacing_mm: Distance of voxel centres along (x, y, z) of the array.
        path: The file, for the error.
    """
    slices, rows, columns = shape_zyx
    width_mm, height_mm = columns * spacing_mm[0], rows * spacing_mm[1]
    if min(width_mm, height_mm) < MIN_PLANE_MM * (1 - LENGTH_TOLERANCE):
        msg = (
            f"Slices of {width_mm:.0f} x {height_mm:.0f} mm are too small for a chest; at least "
            f"{MIN_PLANE_MM} mm are needed"
        )
        return SeriesError(Reason.NOT_CHEST, msg, path=path)
    return stack_rejection(slices, spacing_mm[2], path)


def size_rejection(shape_zyx: tuple[int, int, int], path: Path | str) -> SeriesError | None:
    """Returns why a header's shape cannot be true; None if a volume of it may be allocated.

    Args:
        shape_zyx: Slices, rows, columns, each of any value that a header may hold.
        path: The file, for the error.
    """
    z, y, x = shape_zyx
    if min(shape_zyx) >= 1 and z * y * x <= MAX_VOXELS:
        return None
    msg = f"{x} x {y} x {z} voxels are not a CT volume; the header is wrong"
    return SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
