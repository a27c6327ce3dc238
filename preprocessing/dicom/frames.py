"""Reads the `Frame` of each image plane, classic or of a multi-frame instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.dicom.values import Elements, number, numbers, text
from hounsfield.preprocessing.geometry.frame import Frame

if TYPE_CHECKING:
    from hounsfield.preprocessing.geometry.frame import Vector

FRAME_KEYWORDS = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "RescaleIntercept", "RescaleSlope", "RescaleType",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
"""The elements that `read_frames` needs."""

# The macros in which an enhanced multi-frame instance keeps these attributes (PS3.3, C.7.6.16.2).
_PIXEL_MEASURES = "PixelMeasuresSequence"
_PLANE_POSITION = "PlanePositionSequence"
_PLANE_ORIENTATION = "PlaneOrientationSequence"
_PIXEL_VALUE_TRANSFORMATION = "PixelValueTransformationSequence"


def read_frames(elements: Elements, count: int) -> tuple[Frame, ...]:
    """Returns the frames of an instance, one for each image plane.

    Args:
        elements: The instance's data set, with the elements of `FRAME_KEYWORDS`.
        count: Number of frames; 1 for a classic instance.
    """
    per_frame = elements.items("PerFrameFunctionalGroupsSequence")
    shared = elements.items("SharedFunctionalGroupsSequence")
    if not per_frame and not shared:
        return tuple(_frame(number, elements, {}) for number in range(1, count + 1))
    common = _macros(shared[0]) if shared else {}
    own = [_macros(group) for group in per_frame[:count]]
    own += [{}] * (count - len(own))
    return tuple(_frame(i + 1, elements, {**common, **macros}) for i, macros in enumerate(own))


def _macros(group: Elements) -> dict[str, Elements]:
    """The first item of each macro in a functional group."""
    keywords = (
        _PIXEL_MEASURES, _PLANE_POSITION, _PLANE_ORIENTATION, _PIXEL_VALUE_TRANSFORMATION,
    )  # fmt: skip
    return {keyword: items[0] for keyword in keywords if (items := group.items(keyword))}


def _frame(frame_number: int, top: Elements, macros: dict[str, Elements]) -> Frame:
    measures = macros.get(_PIXEL_MEASURES, top)
    rescale = macros.get(_PIXEL_VALUE_TRANSFORMATION, top)
    position = numbers(macros.get(_PLANE_POSITION, top), "ImagePositionPatient")
    orientation = numbers(macros.get(_PLANE_ORIENTATION, top), "ImageOrientationPatient")
    spacing = numbers(measures, "PixelSpacing")
    thickness = number(measures, "SliceThickness")
    slope, intercept = number(rescale, "RescaleSlope"), number(rescale, "RescaleIntercept")
    has_directions = len(orientation) == 6
    return Frame(
        number=frame_number,
        position_mm=_vector(position),
        row_direction=_vector(orientation[:3]) if has_directions else None,
        column_direction=_vector(orientation[3:]) if has_directions else None,
        pixel_spacing_mm=(spacing[0], spacing[1]) if len(spacing) == 2 else None,
        slice_thickness_mm=thickness if thickness and thickness > 0 else None,
        rescale_slope=1.0 if slope is None else slope,
        rescale_intercept=0.0 if intercept is None else intercept,
        rescale_type=text(rescale, "RescaleType").upper(),
    )


def _vector(values: tuple[float, ...]) -> Vector | None:
    return (values[0], values[1], values[2]) if len(values) == 3 else None
