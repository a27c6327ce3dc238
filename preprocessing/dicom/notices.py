"""What a reader must know of how the slices of a series became a volume."""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.geometry.slice_geometry import SPACING_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.acquisitions import Plane
    from hounsfield.preprocessing.dicom.pixels import FrameFindings
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.geometry.slice_geometry import StackGeometry


def geometry_notices(
    planes: Sequence[Plane], geometry: StackGeometry, lost: Sequence[SeriesError] = ()
) -> tuple[Notice, ...]:
    """Notices of tilt, holes, spacing and header conflicts.

    Args:
        planes: The planes of the volume, in the order of `geometry.depths_mm`.
        geometry: How they lie.
        lost: For each slice that could not be read, why; each message names its file.
    """
    notices = [
        _tilt(geometry),
        _missing(planes, geometry, lost),
        _uneven(geometry),
        _inferred(planes, geometry),
        _conflicting_spacing(planes, geometry),
    ]
    return tuple(notice for notice in notices if notice is not None)


def lossy_notice(planes: Sequence[Plane]) -> tuple[Notice, ...]:
    """Tells that images were once compressed with loss."""
    lossy = sum(plane.instance.facts.lossy for plane in planes)
    if not lossy:
        return ()
    message = f"{lossy} of {len(planes)} slices were compressed with loss: small HU changes"
    return (Notice(NoticeCode.LOSSY_COMPRESSION, message, {"slices": lossy}),)


def duplicates_notice(dropped: Sequence[Plane]) -> tuple[Notice, ...]:
    """Tells that exact copies of slices were left out."""
    if not dropped:
        return ()
    message = (
        f"{len(dropped)} slice(s) left out as exact copies of others, first "
        f"{dropped[0].instance.source}"
    )
    return (Notice(NoticeCode.DUPLICATE_SLICES_DROPPED, message, {"slices": len(dropped)}),)


def pixel_notices(findings: Sequence[FrameFindings], voxels: int) -> tuple[Notice, ...]:
    """Notices of padding and of pixels that contradict their header.

    Args:
        findings: One for each plane.
        voxels: How many voxels they have together.
    """
    notices = []
    padding = sum(finding.padding_voxels for finding in findings)
    if padding:
        percent = round(100 * padding / voxels, 2)
        message = f"{percent:.2f} % of voxels were never measured (padding) and are air now"
        numbers = {"voxels": padding, "percent": percent}
        notices.append(Notice(NoticeCode.PADDING_REPLACED, message, numbers))
    conflicts: dict[str, int] = {}
    for finding in findings:
        for conflict in finding.conflicts:
            conflicts[conflict] = conflicts.get(conflict, 0) + 1
    for conflict, slices in conflicts.items():
        message = f"In {slices} slice(s) {conflict}"
        notices.append(Notice(NoticeCode.HEADER_CONFLICT, message, {"slices": slices}))
    return tuple(notices)


def _tilt(geometry: StackGeometry) -> Notice | None:
    if not geometry.tilt_degrees:
        return None
    degrees = round(geometry.tilt_degrees, 2)
    message = f"Slices are tilted by {degrees} degrees against their stack; sheared back"
    return Notice(NoticeCode.GANTRY_TILT_CORRECTED, message, {"degrees": degrees})


def _missing(
    planes: Sequence[Plane], geometry: StackGeometry, lost: Sequence[SeriesError]
) -> Notice | None:
    filled = len(geometry.missing)
    if not filled and not lost:
        return None
    parts = []
    numbers: dict[str, float | str] = {
        "missing": filled,
        "unreadable": len(lost),
        "present": len(planes),
    }
    if filled:
        axis = int(np.argmax(np.abs(geometry.normal)))
        along = [_missing_place_mm(geometry, z)[axis] for z in geometry.missing]
        places = "; ".join(
            f"at {'xyz'[axis]} {place:.1f} mm, between {_neighbours(planes, geometry, z)}"
            for z, place in zip(geometry.missing, along, strict=True)
        )
        parts.append(f"{filled} of {geometry.slices} slices missing and interpolated: {places}")
        numbers[f"missing_{'xyz'[axis]}_mm"] = ", ".join(f"{place:.2f}" for place in along)
    if lost:
        parts.append(f"{len(lost)} could not be read: " + "; ".join(e.message for e in lost))
    return Notice(NoticeCode.MISSING_SLICES_FILLED, "; ".join(parts), numbers)


def _missing_place_mm(geometry: StackGeometry, grid_index: int) -> NDArray[np.float64]:
    """The first pixel's centre of a missing slice, LPS mm, as its neighbours have it."""
    depth = grid_index * geometry.spacing_mm
    along_row, along_column = (
        np.interp(depth, geometry.depths_mm, geometry.shifts_mm[:, axis]) for axis in (0, 1)
    )
    place: NDArray[np.float64] = (
        geometry.origin_mm
        + depth * geometry.normal
        + along_row * geometry.row_direction
        + along_column * geometry.column_direction
    )
    return place


def _neighbours(planes: Sequence[Plane], geometry: StackGeometry, grid_index: int) -> str:
    """The files of the slices on both sides of a missing one."""
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
        f"Slices lie {smallest} to {largest} mm apart; resampled from their true positions to "
        f"every {geometry.spacing_mm:.3f} mm"
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


def _conflicting_spacing(planes: Sequence[Plane], geometry: StackGeometry) -> Notice | None:
    """SpacingBetweenSlices is often wrong; positions are believed."""
    told = planes[0].instance.spacing_between_slices_mm
    if not told or len(planes) == 1 or geometry.grid_index is None:
        return None
    # Some writers give the distance along the table of a tilted stack.
    first, last = geometry.shifts_mm[0], geometry.shifts_mm[-1]
    sideways = float(((last - first) ** 2).sum()) ** 0.5
    steps = max(geometry.slices - 1, 1)
    along_table = (geometry.spacing_mm**2 + (sideways / steps) ** 2) ** 0.5
    if any(
        abs(abs(told) - spacing) <= SPACING_TOLERANCE * spacing
        for spacing in (geometry.spacing_mm, along_table)
    ):
        return None
    message = (
        f"SpacingBetweenSlices (0018,0088) is {told:g} mm, positions are "
        f"{geometry.spacing_mm:.4g} mm apart; positions are believed"
    )
    numbers = {"told_mm": told, "spacing_mm": round(geometry.spacing_mm, 4)}
    return Notice(NoticeCode.HEADER_CONFLICT, message, numbers)
