"""`Frame`: the position and the rescale of one image plane."""

from __future__ import annotations

from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """One image plane as its header describes it; None for what the header leaves out.

    Attributes:
        number: From 1; always 1 in a classic instance.
        position_mm: ImagePositionPatient, the centre of the first pixel, LPS mm.
        row_direction: Unit vector along a row (towards growing column index), LPS.
        column_direction: Unit vector down a column (towards growing row index), LPS.
        pixel_spacing_mm: Between rows, between columns, as in PixelSpacing.
        slice_thickness_mm: Nominal thickness, always positive.
        rescale_slope: HU for each step of the stored values.
        rescale_intercept: HU of the stored value 0.
        rescale_type: The unit that slope and intercept lead to; empty means HU on a CT.
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
