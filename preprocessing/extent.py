"""The limits on the size of a series: one rule for DICOM, MetaImage and NIfTI."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Iterable
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

MAX_BODY_MM: Final = 2300
"""Length of a volume along its longest axis. The tables of PET/CT scan 2,000 mm, head to feet; the
tallest patients measure 2,200 mm."""

MAX_PLANE_MM: Final = 1200
"""Length along the other two axes. The widest field of view that is reconstructed, beyond the
gantry's bore, is 850 mm; programs that turn or pad a volume make it wider."""

MIN_SPACING_MM: Final = 0.02
"""Distance of voxels. The sharpest clinical scanners reconstruct pixels of 0.05 mm."""

MAX_POSITION_MM: Final = 10_000
"""Distance of any voxel from the origin of its frame of reference. Scanners count the table's
position along one or two metres."""

MAX_VOXELS: Final = (2**63 - 1) // 8
"""What an array can be indexed by. Whether a volume fits into memory is `memory_rejection`'s."""


def exceeds(length_mm: float, limit_mm: float) -> bool:
    """Returns whether a measured length is above a limit by more than `LENGTH_TOLERANCE`.

    Args:
        length_mm: A length that was fitted to positions, or that a header states.
        limit_mm: The limit, in the same unit.
    """
    return length_mm > limit_mm * (1 + LENGTH_TOLERANCE)


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


def position_rejection(
    corners_mm: Iterable[Iterable[float]], path: Path | str | None = None
) -> SeriesError | None:
    """Returns why a series cannot be where its header says; None if it may be.

    Args:
        corners_mm: Points (x, y, z) of the volume, LPS mm.
        path: The file or folder, for the error.
    """
    farthest_mm = max(abs(value) for corner in corners_mm for value in corner)
    if farthest_mm <= MAX_POSITION_MM:
        return None
    msg = (
        f"By its header the series lies {farthest_mm:.3g} mm from the scanner's origin; no table "
        f"reaches further than {MAX_POSITION_MM:.0f} mm"
    )
    return SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)


def size_rejection(
    shape_zyx: tuple[int, int, int],
    path: Path | str | None = None,
    *,
    spacing_mm: tuple[float, float, float] | None = None,
) -> SeriesError | None:
    """Returns why a header's shape or size cannot be true; None if a volume of it may be read.

    Args:
        shape_zyx: Slices, rows, columns, each of any value that a header may hold.
        path: The file or folder, for the error.
        spacing_mm: Distance of voxel centres along (x, y, z) of the array, finite and above 0;
            None if the headers do not say.

    Returns:
        `inconsistent_geometry` for an axis without voxels, `impossible_size` for more voxels than
        an array can have, and for a body that is larger than any patient or far too small.
    """
    z, y, x = shape_zyx
    if min(shape_zyx) < 1 or math.prod(shape_zyx) > MAX_VOXELS:
        reason = Reason.INCONSISTENT_GEOMETRY if min(shape_zyx) < 1 else Reason.IMPOSSIBLE_SIZE
        msg = f"{x} x {y} x {z} voxels are not a CT volume; the header is wrong"
        return SeriesError(reason, msg, path=path)
    if spacing_mm is None:
        return None
    size_mm = [count * step for count, step in zip((x, y, z), spacing_mm, strict=True)]
    _, wide_mm, long_mm = sorted(size_mm)
    stated = " x ".join(f"{length:.6g}" for length in size_mm)
    if long_mm > MAX_BODY_MM or wide_mm > MAX_PLANE_MM:
        msg = (
            f"By its spacing the series measures {stated} mm: no patient is so large (at most "
            f"{MAX_BODY_MM} mm long and {MAX_PLANE_MM} mm wide); the header is wrong"
        )
        return SeriesError(Reason.IMPOSSIBLE_SIZE, msg, path=path)
    if min(spacing_mm) < MIN_SPACING_MM:
        msg = (
            f"Voxels {min(spacing_mm):.3g} mm apart are finer than any CT of a patient (at least "
            f"{MIN_SPACING_MM} mm; the series measures {stated} mm); the header is wrong"
        )
        return SeriesError(Reason.IMPOSSIBLE_SIZE, msg, path=path)
    return None
