"""`Frame`: the place and the rescale of one image plane, classic or of a multi-frame instance."""

from __future__ import annotations

from dataclasses import dataclass

from hounsfield.preprocessing.dicom.values import Elements, number, numbers, text

SHARED_FUNCTIONAL_GROUPS = 0x52009229
PER_FRAME_FUNCTIONAL_GROUPS = 0x52009230

_IMAGE_POSITION_PATIENT = 0x00200032
_IMAGE_ORIENTATION_PATIENT = 0x00200037
_PIXEL_SPACING = 0x00280030
_SLICE_THICKNESS = 0x00180050
_RESCALE_INTERCEPT = 0x00281052
_RESCALE_SLOPE = 0x00281053
_RESCALE_TYPE = 0x00281054

FRAME_TAGS = (
    _IMAGE_POSITION_PATIENT, _IMAGE_ORIENTATION_PATIENT, _PIXEL_SPACING, _SLICE_THICKNESS,
    _RESCALE_INTERCEPT, _RESCALE_SLOPE, _RESCALE_TYPE,
    SHARED_FUNCTIONAL_GROUPS, PER_FRAME_FUNCTIONAL_GROUPS,
)  # fmt: skip

# Where each macro of an enhanced multi-frame instance keeps its attributes (PS3.3, C.7.6.16.2).
_PIXEL_MEASURES = 0x00289110
_PLANE_POSITION = 0x00209113
_PLANE_ORIENTATION = 0x00209116
_PIXEL_VALUE_TRANSFORMATION = 0x00289145

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """One image plane as its header tells of it; None where it does not tell.

    Attributes:
        number: From 1; always 1 in a classic instance.
        position_mm: ImagePositionPatient, the centre of the first pixel, LPS mm.
        row_direction: Unit vector along a row (of growing column index), LPS.
        column_direction: Unit vector down a column (of growing row index), LPS.
        pixel_spacing_mm: Between rows, between columns, as in PixelSpacing.
        rescale_type: What slope and intercept lead to; empty means HU on a CT.
    """

    number: int
    position_mm: Vector | None
    row_direction: Vector | None
    column_direction: Vector | None
    pixel_spacing_mm: tuple[float, float] | None
    slice_thickness_mm: float | None
    rescale_slope: float
    rescale_intercept: float
    rescale_type: str = ""


def read_frames(elements: Elements, count: int) -> tuple[Frame, ...]:
    """Makes the frames of an instance: one of a classic, `count` of a multi-frame instance."""
    per_frame = elements.items(PER_FRAME_FUNCTIONAL_GROUPS)
    shared = elements.items(SHARED_FUNCTIONAL_GROUPS)
    if not per_frame and not shared:
        return tuple(_frame(number, elements, {}) for number in range(1, count + 1))
    common = _macros(shared[0]) if shared else {}
    own = [_macros(group) for group in per_frame[:count]]
    own += [{}] * (count - len(own))
    return tuple(_frame(i + 1, elements, {**common, **macros}) for i, macros in enumerate(own))


def _macros(group: Elements) -> dict[int, Elements]:
    """The first item of each macro in a functional group."""
    wanted = (
        _PIXEL_MEASURES, _PLANE_POSITION, _PLANE_ORIENTATION, _PIXEL_VALUE_TRANSFORMATION,
    )  # fmt: skip
    return {tag: found[0] for tag in wanted if (found := group.items(tag))}


def _frame(frame_number: int, top: Elements, macros: dict[int, Elements]) -> Frame:
    measures = macros.get(_PIXEL_MEASURES, top)
    rescale = macros.get(_PIXEL_VALUE_TRANSFORMATION, top)
    orientation = numbers(macros.get(_PLANE_ORIENTATION, top), _IMAGE_ORIENTATION_PATIENT)
    spacing = numbers(measures, _PIXEL_SPACING)
    thickness = number(measures, _SLICE_THICKNESS)
    slope, intercept = number(rescale, _RESCALE_SLOPE), number(rescale, _RESCALE_INTERCEPT)
    has_directions = len(orientation) == 6
    return Frame(
        number=frame_number,
        position_mm=_vector(numbers(macros.get(_PLANE_POSITION, top), _IMAGE_POSITION_PATIENT)),
        row_direction=_vector(orientation[:3]) if has_directions else None,
        column_direction=_vector(orientation[3:]) if has_directions else None,
        pixel_spacing_mm=(spacing[0], spacing[1]) if len(spacing) == 2 else None,
        slice_thickness_mm=thickness if thickness and thickness > 0 else None,
        rescale_slope=1.0 if slope is None else slope,
        rescale_intercept=0.0 if intercept is None else intercept,
        rescale_type=text(rescale, _RESCALE_TYPE).upper(),
    )


def _vector(values: tuple[float, ...]) -> Vector | None:
    return (values[0], values[1], values[2]) if len(values) == 3 else None
