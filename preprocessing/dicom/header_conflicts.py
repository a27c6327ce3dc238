"""Notices on header values that contradict each other, where one of them decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.geometry.depth_grid import SPACING_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.preprocessing.dicom.headers.plane import Plane
    from hounsfield.preprocessing.geometry.slice_geometry import StackGeometry

_MIN_JITTER_DEGREES: Final = 0.01
"""Less is how far the decimals of the header go, and moves no pixel by 0.05 mm."""

_MIN_SPACING_DIFFERENCE_MM: Final = 2e-4
"""Less moves the edge of a slice by 0.05 mm."""

_FIELD_TOLERANCE: Final = 0.02
"""Fraction by which the field of view may differ from the pixels: some scanners round it to mm."""


def header_conflicts(planes: Sequence[Plane], geometry: StackGeometry) -> list[Notice]:
    """Returns the notices on header values that contradict positions or pixels.

    Args:
        planes: The planes of the volume, in the order of `geometry.depths_mm`.
        geometry: Positions and spacing, as `fit_stack` found them.

    Returns:
        The notices; an empty list where the headers agree.
    """
    notices = [
        _conflicting_spacing(planes, geometry),
        _slice_location(planes, geometry),
        _field_of_view(planes, geometry),
        _pixel_spacings(planes),
        _turned(geometry),
        _frames_of_reference(planes),
        _decimal_commas(planes),
    ]
    return [notice for notice in notices if notice is not None]


def _agree(header_mm: float, length_mm: float) -> bool:
    return abs(abs(header_mm) - length_mm) <= SPACING_TOLERANCE * length_mm


def _lengths_mm(planes: Sequence[Plane], geometry: StackGeometry) -> list[float]:
    """The length of the stack along its normal, along the table where it is tilted, and along z."""
    depth = float(geometry.depths_mm[-1])
    sideways = geometry.shifts_mm[-1] - geometry.shifts_mm[0]
    ends = [planes[index].frame.position_mm for index in (0, -1)]
    along_z = abs(ends[1][2] - ends[0][2]) if ends[0] and ends[1] else depth
    return [depth, float((depth**2 + (sideways**2).sum()) ** 0.5), along_z]


def _slice_location(planes: Sequence[Plane], geometry: StackGeometry) -> Notice | None:
    """SliceLocation (0020,1041) counts along the table, from any origin and in either direction."""
    ends = [planes[index].instance.slice_location_mm for index in (0, -1)]
    if len(planes) == 1 or ends[0] is None or ends[1] is None or ends[0] == ends[1]:
        return None
    header_mm = abs(ends[1] - ends[0])
    lengths = _lengths_mm(planes, geometry)
    if any(_agree(header_mm, length) for length in lengths):
        return None
    message = (
        f"From the first slice to the last it is {header_mm:.4g} mm by SliceLocation (0020,1041), "
        f"{lengths[0]:.4g} mm by ImagePositionPatient (0020,0032), which is used"
    )
    numbers = {"header_mm": round(header_mm, 4), "length_mm": round(lengths[0], 4)}
    return Notice(NoticeCode.HEADER_CONFLICT, message, numbers)


def _field_of_view(planes: Sequence[Plane], geometry: StackGeometry) -> Notice | None:
    """ReconstructionDiameter (0018,1100) is the width of the image that the scanner made."""
    header_mm, layout = planes[0].instance.reconstruction_diameter_mm, planes[0].instance.pixels
    if not header_mm or layout is None:
        return None
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    height_mm, width_mm = layout.rows * row_spacing, layout.columns * column_spacing
    if any(abs(header_mm - size) <= _FIELD_TOLERANCE * size for size in (height_mm, width_mm)):
        return None
    message = (
        f"ReconstructionDiameter (0018,1100) is {header_mm:g} mm, the pixels measure "
        f"{width_mm:.4g} x {height_mm:.4g} mm by PixelSpacing (0028,0030), which is used: the "
        "image was cropped, or one of them is wrong"
    )
    numbers = {"header_mm": header_mm, "width_mm": round(width_mm, 4)}
    return Notice(NoticeCode.HEADER_CONFLICT, message, numbers)


def _conflicting_spacing(planes: Sequence[Plane], geometry: StackGeometry) -> Notice | None:
    """SpacingBetweenSlices is often wrong; the positions are used."""
    header_mm = planes[0].instance.spacing_between_slices_mm
    if not header_mm or len(planes) == 1 or geometry.grid_index is None:
        return None
    steps = max(geometry.slices - 1, 1)
    if any(_agree(header_mm, length / steps) for length in _lengths_mm(planes, geometry)):
        return None
    message = (
        f"SpacingBetweenSlices (0018,0088) is {header_mm:g} mm, positions are "
        f"{geometry.spacing_mm:.4g} mm apart; the positions are used"
    )
    numbers = {"header_mm": header_mm, "spacing_mm": round(geometry.spacing_mm, 4)}
    return Notice(NoticeCode.HEADER_CONFLICT, message, numbers)


def _pixel_spacings(planes: Sequence[Plane]) -> Notice | None:
    spacings = {plane.frame.pixel_spacing_mm for plane in planes} - {None}
    values = [value for spacing in spacings for value in spacing or ()]
    if len(spacings) < 2 or max(values) - min(values) < _MIN_SPACING_DIFFERENCE_MM:
        return None
    first = planes[0].frame.pixel_spacing_mm
    message = (
        f"PixelSpacing (0028,0030) differs between slices, {min(values):.6g} to {max(values):.6g} "
        f"mm; that of the first, {first}, is used for all"
    )
    return Notice(NoticeCode.HEADER_CONFLICT, message)


def _turned(geometry: StackGeometry) -> Notice | None:
    """Directions that some writer rounded; the mean of all is used."""
    degrees = round(geometry.jitter_degrees, 3)
    if degrees < _MIN_JITTER_DEGREES:
        return None
    message = (
        f"ImageOrientationPatient (0020,0037) differs between slices, by up to {degrees:g} degrees "
        "from the mean, which is used"
    )
    return Notice(NoticeCode.HEADER_CONFLICT, message, {"degrees": degrees})


def _frames_of_reference(planes: Sequence[Plane]) -> Notice | None:
    """Several only where nearly each slice has its own: a converter made them anew."""
    count = len({plane.instance.frame_of_reference_uid for plane in planes})
    if count == 1:
        return None
    message = (
        f"FrameOfReferenceUID (0020,0052) has {count} values in {len(planes)} slices, as if it was "
        "made anew for each file; the positions were taken for those of one frame"
    )
    return Notice(NoticeCode.HEADER_CONFLICT, message, {"frames": count})


def _decimal_commas(planes: Sequence[Plane]) -> Notice | None:
    keywords = sorted({keyword for plane in planes for keyword in plane.frame.decimal_commas})
    if not keywords:
        return None
    message = f"{', '.join(keywords)} are written with decimal commas, which were read as points"
    return Notice(NoticeCode.HEADER_CONFLICT, message)
