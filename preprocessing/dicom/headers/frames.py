"""Reads the `Frame` of each image plane, classic or of a multi-frame instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.dicom.headers.functional_groups import (
    FUNCTIONAL_GROUPS,
    macros_of_frames,
)
from hounsfield.preprocessing.dicom.headers.values import Elements, has_decimal_comma, numbers, text
from hounsfield.preprocessing.geometry.frame import Frame

if TYPE_CHECKING:
    from hounsfield.preprocessing.geometry.frame import Vector

FRAME_KEYWORDS = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "RescaleIntercept", "RescaleSlope", "RescaleType",
    *FUNCTIONAL_GROUPS,
)  # fmt: skip
"""The elements that `read_frames` needs."""

# The macros in which an enhanced multi-frame instance keeps these attributes (PS3.3, C.7.6.16.2).
_PIXEL_MEASURES = "PixelMeasuresSequence"
_PLANE_POSITION = "PlanePositionSequence"
_PLANE_ORIENTATION = "PlaneOrientationSequence"
_PIXEL_VALUE_TRANSFORMATION = "PixelValueTransformationSequence"
_MACROS = (_PIXEL_MEASURES, _PLANE_POSITION, _PLANE_ORIENTATION, _PIXEL_VALUE_TRANSFORMATION)

_MAX_QUOTED = 64
"""Characters of an unreadable value that a message quotes."""


def read_frames(elements: Elements, count: int) -> tuple[Frame, ...]:
    """Returns the frames of an instance, one for each image plane.

    Args:
        elements: The instance's data set, with the elements of `FRAME_KEYWORDS`.
        count: Number of frames; 1 for a classic instance.
    """
    macros = macros_of_frames(elements, count, _MACROS)
    return tuple(_frame(number, elements, own) for number, own in enumerate(macros, start=1))


def _frame(frame_number: int, top: Elements, macros: dict[str, Elements]) -> Frame:
    numbers_of = _Numbers(top, macros)
    position = numbers_of.read(_PLANE_POSITION, "ImagePositionPatient", count=3)
    orientation = numbers_of.read(_PLANE_ORIENTATION, "ImageOrientationPatient", count=6)
    spacing = numbers_of.read(_PIXEL_MEASURES, "PixelSpacing", count=2)
    thickness = numbers_of.read(_PIXEL_MEASURES, "SliceThickness", count=1)
    slope = numbers_of.read(_PIXEL_VALUE_TRANSFORMATION, "RescaleSlope", count=1)
    intercept = numbers_of.read(_PIXEL_VALUE_TRANSFORMATION, "RescaleIntercept", count=1)
    rescale = macros.get(_PIXEL_VALUE_TRANSFORMATION, top)
    return Frame(
        number=frame_number,
        position_mm=_vector(position),
        row_direction=_vector(orientation[:3]),
        column_direction=_vector(orientation[3:]),
        pixel_spacing_mm=(spacing[0], spacing[1]) if spacing else None,
        slice_thickness_mm=thickness[0] if thickness and thickness[0] > 0 else None,
        rescale_slope=slope[0] if slope else None,
        rescale_intercept=intercept[0] if intercept else None,
        rescale_type=text(rescale, "RescaleType").upper(),
        unreadable=tuple(numbers_of.unreadable),
        decimal_commas=tuple(numbers_of.decimal_commas),
    )


class _Numbers:
    """Reads the numbers of one frame, and remembers those that make no sense."""

    def __init__(self, top: Elements, macros: dict[str, Elements]) -> None:
        self._top = top
        self._macros = macros
        self.unreadable: list[tuple[str, str]] = []
        self.decimal_commas: list[str] = []

    def read(self, macro: str, keyword: str, *, count: int) -> tuple[float, ...]:
        """Returns exactly `count` numbers; none if they are missing or make no sense."""
        elements = self._macros.get(macro, self._top)
        values = numbers(elements, keyword)
        if len(values) != count:
            raw = text(elements, keyword)
            if raw:
                self.unreadable.append((keyword, raw[:_MAX_QUOTED]))
            return ()
        if has_decimal_comma(elements, keyword):
            self.decimal_commas.append(keyword)
        return values


def _vector(values: tuple[float, ...]) -> Vector | None:
    return (values[0], values[1], values[2]) if len(values) == 3 else None
