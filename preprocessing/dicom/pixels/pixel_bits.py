"""Interprets the elements of a frame: their sign, and which of their bits are the pixel's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.dicom.pixels.stored_values import StoredValues, is_plausible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.pixel_layout import PixelLayout
    from hounsfield.preprocessing.dicom.pixels.stored_values import Rescale

_OVERLAY_STEP: Final = 150
"""Stored values by which a pixel under an overlay differs from those beside it, once the overlay's
bit is cleared: tissue is no rougher. Where the value itself goes on in that bit, clearing it jumps
further."""


def interpret(
    bits: NDArray[np.integer],
    layout: PixelLayout,
    precision: int,
    to_hu: Rescale,
    *,
    signed: bool,
) -> tuple[StoredValues, tuple[str, ...]]:
    """Applies the sign to the elements, and clears bits that are not the pixel's (PS3.5, 8.1.1).

    With 12 bits stored in 16: unsigned 0xF123 is 0x123 where an overlay uses the bits above,
    signed 0x0800 is -2048. Some writers state fewer bits than the values have: where the bits above
    continue the value they are kept, with a conflict.

    Args:
        bits: The elements as stored, ``[row, column]``; their own sign counts only if the
            codestream declares one.
        layout: How the header describes the pixels.
        precision: Number of bits of each element that belong to the pixel.
        to_hu: Slope and intercept, to recognise values that cannot be HU.
        signed: Whether the values are two's complement.

    Returns:
        The values, without a copy if no bit has to be cleared; and how pixels and header contradict
        each other, in words.
    """
    size = 8 * bits.dtype.itemsize
    elements = bits.view(f"{'i' if signed else 'u'}{bits.dtype.itemsize}")
    elements, conflicts = _shifted(elements, layout)
    stored = StoredValues.of(elements)
    unused = size - precision
    if unused <= 0 or bits.dtype.kind == "i":
        return stored, conflicts
    low, high = (-(1 << (precision - 1)), 1 << (precision - 1)) if signed else (0, 1 << precision)
    if stored.low >= low and stored.high < high:
        return stored, conflicts
    cleared = StoredValues.of((elements << unused) >> unused)
    if signed and stored.low >= 0 and stored.high < 1 << precision:
        return cleared, conflicts  # the sign was not extended into the unused bits, which is usual
    beyond = (elements < low) | (elements >= high)
    name = "BitsStored (0028,0101)"
    if not is_plausible(stored, layout, to_hu) or _is_overlay(cleared.values, beyond, precision):
        conflict = f"bits above {name} {precision} were cleared as an overlay"
        return cleared, (*conflicts, conflict)
    bits_used = max(int(stored.high).bit_length(), int(-stored.low - 1).bit_length()) + int(signed)
    conflict = f"values have {bits_used} bits where {name} is {precision}, and were kept whole"
    return stored, (*conflicts, conflict)


def _shifted(
    elements: NDArray[np.integer], layout: PixelLayout
) -> tuple[NDArray[np.integer], tuple[str, ...]]:
    """The elements without the bits below the pixel's; a HighBit that the bits contradict is left.

    HighBit is one less than BitsStored (PS3.5, 8.1.1); in old images the value may lie higher.
    """
    shift = layout.high_bit + 1 - layout.bits_stored
    if shift == 0 or layout.fragments:
        return elements, ()
    if 0 < shift < 8 * elements.dtype.itemsize and not (elements & ((1 << shift) - 1)).any():
        return elements >> shift, ()
    conflict = (
        f"HighBit (0028,0102) is {layout.high_bit} where BitsStored (0028,0101) is "
        f"{layout.bits_stored}, and was taken for {layout.bits_stored - 1}, as the pixels show"
    )
    return elements, (conflict,)


def _is_overlay(cleared: NDArray[np.integer], beyond: NDArray[np.bool_], precision: int) -> bool:
    """Whether pixels fit those beside them once their upper bits are cleared.

    An overlay is a few lines or letters: it never covers a whole image.
    """
    values = cleared.astype(np.int64)
    steps = []
    for axis in (0, 1):
        edge = np.diff(beyond.astype(np.int8), axis=axis) != 0
        steps.append(np.abs(np.diff(values, axis=axis))[edge])
    across = np.concatenate(steps)
    return across.size > 0 and float(np.median(across)) <= min(_OVERLAY_STEP, 2**precision // 8)
