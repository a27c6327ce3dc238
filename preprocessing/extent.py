"""Whether a stack of slices is large enough to hold a chest."""

from __future__ import annotations

from typing import Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

MIN_PLANE_MM: Final = 150
"""Of a slice's sides. The narrowest chest reconstruction, of one lung, is wider; crops are not."""
MIN_SLICES: Final = 8
MIN_STACK_MM: Final = 40
"""Slices times their distance; less holds no lung that could be searched."""


def extent_rejection(
    shape_zyx: tuple[int, int, int], spacing_mm: tuple[float, float, float], label: str
) -> SeriesError | None:
    """Says why a stack is too small to be a chest; None if it may be one.

    Args:
        shape_zyx: Slices, rows, columns.
        spacing_mm: Along (x, y, z) of the array.
        label: What the sentence calls the series.
    """
    slices, rows, columns = shape_zyx
    width_mm, height_mm, stack_mm = (
        count * spacing for count, spacing in zip((columns, rows, slices), spacing_mm, strict=True)
    )
    if min(width_mm, height_mm) < MIN_PLANE_MM:
        msg = (
            f"{label}: slices of {width_mm:.0f} x {height_mm:.0f} mm are too small for a chest;"
            f" at least {MIN_PLANE_MM} mm are wanted"
        )
        return SeriesError(Reason.NOT_CHEST, msg)
    if slices < MIN_SLICES or stack_mm < MIN_STACK_MM:
        noun = "slice" if slices == 1 else "slices"
        msg = (
            f"{label}: {slices} {noun} over {stack_mm:.0f} mm are too few; at least"
            f" {MIN_SLICES} over {MIN_STACK_MM} mm are wanted"
        )
        return SeriesError(Reason.TOO_FEW_SLICES, msg)
    return None
