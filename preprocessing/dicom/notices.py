"""Notices on how the slices of a series became a volume."""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.dicom.header_conflicts import header_conflicts
from hounsfield.preprocessing.printable import file_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.plane import Plane
    from hounsfield.preprocessing.dicom.pixels.reading import FrameNotes
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.geometry.slice_geometry import StackGeometry


def geometry_notices(
    planes: Sequence[Plane], geometry: StackGeometry, unreadable: Sequence[SeriesError] = ()
) -> tuple[Notice, ...]:
    """Returns the notices on tilt, missing slices, spacing and conflicting headers.

    Args:
        planes: The planes of the volume, in the order of `geometry.depths_mm`.
        geometry: Positions and spacing, as `fit_stack` found them.
        unreadable: The error of each slice that could not be read, with the path of its file.
    """
    notices = [
        _tilt(geometry),
        _missing(planes, geometry, unreadable),
        _uneven(geometry),
        _inferred(planes, geometry),
    ]
    present = [notice for notice in notices if notice is not None]
    return (*present, *header_conflicts(planes, geometry))


def lossy_notice(planes: Sequence[Plane]) -> tuple[Notice, ...]:
    """Returns a notice if images were ever compressed with loss, else nothing.

    Args:
        planes: The planes of the volume, in any order.
    """
    lossy = sum(plane.instance.facts.lossy for plane in planes)
    if not lossy:
        return ()
    message = f"{lossy} of {len(planes)} slices were compressed with loss: small HU changes"
    return (Notice(NoticeCode.LOSSY_COMPRESSION, message, {"slices": lossy}),)


def duplicates_notice(dropped: Sequence[Plane]) -> tuple[Notice, ...]:
    """Returns a notice if exact copies of slices were left out, else nothing.

    Args:
        dropped: The planes that are copies of others.
    """
    if not dropped:
        return ()
    first = dropped[0].instance.source
    message = f"{len(dropped)} slice(s) left out as exact copies of others, first {first.name}"
    numbers = {"slices": len(dropped)}
    return (Notice(NoticeCode.DUPLICATE_SLICES_DROPPED, message, numbers, path=str(first)),)


def pixel_notices(frames: Sequence[FrameNotes], voxels: int) -> tuple[Notice, ...]:
    """Returns the notices on padding and on pixels that contradict their header.

    Args:
        frames: What `read_hu` returned for each plane.
        voxels: Number of voxels in all planes.
    """
    notices = []
    padding = sum(frame.padding_voxels for frame in frames)
    if padding:
        percent = round(100 * padding / voxels, 2)
        message = f"{percent:.2f} % of voxels were never measured (padding) and were set to air"
        numbers = {"voxels": padding, "percent": percent}
        notices.append(Notice(NoticeCode.PADDING_REPLACED, message, numbers))
    conflicts: dict[str, int] = {}
    for frame in frames:
        for conflict in frame.conflicts:
            conflicts[conflict] = conflicts.get(conflict, 0) + 1
    for conflict, slices in conflicts.items():
        message = f"In {slices} slice(s), {conflict}"
        notices.append(Notice(NoticeCode.HEADER_CONFLICT, message, {"slices": slices}))
    return tuple(notices)


def _tilt(geometry: StackGeometry) -> Notice | None:
    if not geometry.tilt_degrees:
        return None
    degrees = round(geometry.tilt_degrees, 2)
    message = f"Slices are tilted by {degrees} degrees against their stack and were sheared back"
    return Notice(NoticeCode.GANTRY_TILT_CORRECTED, message, {"degrees": degrees})


def _missing(
    planes: Sequence[Plane], geometry: StackGeometry, unreadable: Sequence[SeriesError]
) -> Notice | None:
    filled = len(geometry.missing)
    if not filled and not unreadable:
        return None
    parts = []
    numbers: dict[str, float | str] = {
        "missing": filled,
        "unreadable": len(unreadable),
        "present": len(planes),
    }
    if filled:
        axis = int(np.argmax(np.abs(geometry.normal)))
        positions_mm = [_missing_position_mm(geometry, z)[axis] for z in geometry.missing]
        positions = "; ".join(
            f"at {'xyz'[axis]} {mm:.1f} mm, between {_neighbours(planes, geometry, z)}"
            for z, mm in zip(geometry.missing, positions_mm, strict=True)
        )
        parts.append(f"{filled} of {geometry.slices} slices missing and interpolated: {positions}")
        numbers[f"missing_{'xyz'[axis]}_mm"] = ", ".join(f"{mm:.2f}" for mm in positions_mm)
    if unreadable:
        causes = "; ".join(
            f"{file_name(error.path or '')}: {error.message}" for error in unreadable
        )
        parts.append(f"{len(unreadable)} could not be read: {causes}")
    path = unreadable[0].path if unreadable else None
    return Notice(NoticeCode.MISSING_SLICES_FILLED, "; ".join(parts), numbers, path=path)


def _missing_position_mm(geometry: StackGeometry, grid_index: int) -> NDArray[np.float64]:
    """The first pixel's centre of a missing slice, LPS mm, interpolated from its neighbours."""
    depth = grid_index * geometry.spacing_mm
    along_row, along_column = (
        np.interp(depth, geometry.depths_mm, geometry.shifts_mm[:, axis]) for axis in (0, 1)
    )
    position: NDArray[np.float64] = (
        geometry.origin_mm
        + depth * geometry.normal
        + along_row * geometry.row_direction
        + along_column * geometry.column_direction
    )
    return position


def _neighbours(planes: Sequence[Plane], geometry: StackGeometry, grid_index: int) -> str:
    """The files of the slices on both sides of a missing one, without folders."""
    after = bisect(geometry.grid_index or (), grid_index)
    names = []
    for instance, frame in planes[after - 1 : after + 1]:
        of_frame = f" frame {frame.number}" if len(instance.frames) > 1 else ""
        names.append(instance.source.name + of_frame)
    return " and ".join(names)


def _uneven(geometry: StackGeometry) -> Notice | None:
    if geometry.grid_index is not None:
        return None
    depths = geometry.depths_mm
    gaps = depths[1:] - depths[:-1]
    smallest, largest = round(float(gaps.min()), 3), round(float(gaps.max()), 3)
    message = (
        f"Slices are {smallest} to {largest} mm apart; they were resampled from their true "
        f"positions to every {geometry.spacing_mm:.3f} mm"
    )
    numbers = {
        "smallest_gap_mm": smallest,
        "largest_gap_mm": largest,
        "spacing_mm": round(geometry.spacing_mm, 4),
    }
    return Notice(NoticeCode.UNEVEN_SPACING, message, numbers)


def _inferred(planes: Sequence[Plane], geometry: StackGeometry) -> Notice | None:
    spacing = round(geometry.spacing_mm, 4)
    if len(planes) == 1:
        message = f"A single slice: its depth of {spacing} mm is not known from positions"
        return Notice(NoticeCode.SPACING_INFERRED, message, {"spacing_mm": spacing})
    if any(plane.frame.slice_thickness_mm for plane in planes):
        return None
    message = f"SliceThickness (0018,0050) is missing; slices are {spacing} mm apart by position"
    return Notice(NoticeCode.SPACING_INFERRED, message, {"spacing_mm": spacing})
