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
        rescale_slope: HU for each step of the stored values; None if the header does not say.
        rescale_intercept: HU of the stored value 0; None if the header does not say.
        rescale_type: The unit that slope and intercept lead to; empty means HU on a CT.
        unreadable: Elements that are there and make no sense, each as keyword and text.
        decimal_commas: Keywords of numbers that were written with a comma.
    """

    number: int
    position_mm: Vector | None
    row_direction: Vector | None
    column_direction: Vector | None
    pixel_spacing_mm: tuple[float, float] | None
    slice_thickness_mm: float | None
    rescale_slope: float | None
    rescale_intercept: float | None
    rescale_type: str = ""
    unreadable: tuple[tuple[str, str], ...] = ()
    decimal_commas: tuple[str, ...] = ()

    def text_of_unreadable(self, keyword: str) -> str:
        """The text of an element that makes no sense; empty if it is fine or not there."""
        return dict(self.unreadable).get(keyword, "")
