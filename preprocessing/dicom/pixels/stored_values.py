"""The stored values of a frame: their range, padding, and Hounsfield units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hounsfield.preprocessing.hu_rounding import AIR_HU, MIN_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.pixel_layout import PixelLayout

PLAUSIBLE_HU = (-5000, 32000)
"""No tissue or material is outside, not even metal on an extended scale."""

_MAX_IMPLAUSIBLE_FRACTION = 0.01
"""Fraction of the voxels that may be outside, as single broken pixels are."""

_TISSUE_HU = (-900, 3071)
"""A padding value in this range would punch holes in tissue: the header is ignored."""


class Rescale(NamedTuple):
    """How stored values become Hounsfield units.

    Attributes:
        slope: HU for each step of the stored values.
        intercept: HU of the stored value 0.
    """

    slope: float
    intercept: float

    def hu(self, stored: float) -> float:
        """The HU of a stored value."""
        return stored * self.slope + self.intercept


@dataclass(frozen=True, slots=True)
class StoredValues:
    """Stored values with their sign, and their range.

    Attributes:
        values: Stored values of one frame, ``[row, column]``.
        low: The smallest value.
        high: The largest value.
    """

    values: NDArray[np.integer]
    low: int
    high: int

    @classmethod
    def of(cls, values: NDArray[np.integer]) -> StoredValues:
        """Finds the range of some values."""
        return cls(values, int(values.min()), int(values.max()))

    def hu_range(self, to_hu: Rescale) -> tuple[float, float]:
        """The smallest and the largest HU of the frame."""
        ends = [to_hu.hu(end) for end in (self.low, self.high)]
        return min(ends), max(ends)


def is_plausible(stored: StoredValues, layout: PixelLayout, to_hu: Rescale) -> bool:
    """Returns whether all but a few values can be HU; padding and the lowest value do not count.

    Args:
        stored: Values with their sign.
        layout: How the header describes the pixels, with its padding value.
        to_hu: Slope and intercept that lead from stored values to HU.
    """
    low, high = stored.hu_range(to_hu)
    if low >= PLAUSIBLE_HU[0] and high <= PLAUSIBLE_HU[1]:
        return True
    values = stored.values
    hu = values * np.float32(to_hu.slope) + np.float32(to_hu.intercept)
    outside = ((hu < PLAUSIBLE_HU[0]) & (values != stored.low)) | (hu > PLAUSIBLE_HU[1])
    padding = padding_mask(stored, layout, to_hu)
    if padding is not None:
        outside &= ~padding
    return bool(np.count_nonzero(outside) <= _MAX_IMPLAUSIBLE_FRACTION * values.size)


def _padding_bounds(stored: StoredValues, layout: PixelLayout) -> tuple[int, int] | None:
    """PixelPaddingValue and its limit with the sign of the pixels: 63536 is -2000 if signed."""
    if layout.padding is None:
        return None
    bounds = [
        value - 65536 if stored.values.dtype.kind == "i" and value >= 32768 else value
        for value in layout.padding
    ]
    return min(bounds), max(bounds)


def padding_mask(
    stored: StoredValues, layout: PixelLayout, to_hu: Rescale
) -> NDArray[np.bool_] | None:
    """Returns which pixels hold the padding that the header declares; None if none does.

    Args:
        stored: Values with their sign.
        layout: How the header describes the pixels, with its padding value.
        to_hu: Slope and intercept, to recognise a padding value that is tissue.
    """
    bounds = _padding_bounds(stored, layout)
    if bounds is None or bounds[0] > stored.high or bounds[1] < stored.low:
        return None
    if padding_is_tissue(stored, layout, to_hu):
        return None
    if bounds[0] == bounds[1]:
        mask = stored.values == bounds[0]
    else:
        mask = (stored.values >= bounds[0]) & (stored.values <= bounds[1])
    return mask if mask.any() else None


def padding_is_tissue(stored: StoredValues, layout: PixelLayout, to_hu: Rescale) -> bool:
    """Returns whether the header declares a padding value that would punch holes in tissue.

    Args:
        stored: Values with their sign.
        layout: How the header describes the pixels, with its padding value.
        to_hu: Slope and intercept that lead from stored values to HU.
    """
    bounds = _padding_bounds(stored, layout)
    if bounds is None:
        return False
    low, high = sorted(map(to_hu.hu, bounds))
    return low <= _TISSUE_HU[1] and high > _TISSUE_HU[0]


def is_inverted(stored: StoredValues, to_hu: Rescale) -> bool:
    """Returns whether the border of the image is dense, although a patient is surrounded by air.

    MONOCHROME1 makes a display show low values bright; HU do not depend on it (PS3.3,
    C.7.6.3.1.2), but some writers invert the stored values as well.

    Args:
        stored: Values with their sign.
        to_hu: Slope and intercept that lead from stored values to HU.
    """
    values = stored.values
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    return to_hu.hu(float(np.median(border))) > 500


def inverted(stored: StoredValues, layout: PixelLayout) -> StoredValues:
    """Returns the values mirrored within the bits stored: the lowest becomes the highest.

    Args:
        stored: Values with their sign.
        layout: Gives the number of bits stored.
    """
    top = -1 if stored.values.dtype.kind == "i" else (1 << layout.bits_stored) - 1
    return StoredValues(top - stored.values, top - stored.high, top - stored.low)


def rescale(stored: StoredValues, to_hu: Rescale, out: NDArray[np.int16]) -> None:
    """Writes slope x stored + intercept into `out`, in integer arithmetic if both are integers.

    Args:
        stored: Values with their sign.
        to_hu: Slope and intercept that lead from stored values to HU.
        out: int16, ``[row, column]``; values beyond int16 are clipped.
    """
    slope, intercept = to_hu
    values = stored.values
    low, high = stored.hu_range(to_hu)
    fits = low >= -32768 and high <= 32767
    if fits and slope == 1 and intercept.is_integer() and values.dtype.itemsize == 2:
        # Modulo 2^16 the sum is right for both signs, and the result fits.
        np.add(values.view(np.uint16), np.uint16(int(intercept) % 65536), out=out.view(np.uint16))
        return
    hu = values.astype(np.float64 if values.dtype.itemsize == 4 else np.float32)
    np.multiply(hu, slope, out=hu)
    np.add(hu, intercept, out=hu)
    np.rint(hu, out=hu)
    np.clip(hu, -32768, 32767, out=hu)
    out[...] = hu


def replace_padding(
    out: NDArray[np.int16], padding: NDArray[np.bool_] | None, lowest_hu: float
) -> int:
    """Writes air where nothing was measured.

    Args:
        out: HU of a frame, int16, changed in place.
        padding: Pixels with the declared padding value, or None.
        lowest_hu: The smallest HU of the frame; above `MIN_HU` the frame is not searched.

    Returns:
        The number of voxels replaced.
    """
    count = 0
    if padding is not None:
        out[padding] = AIR_HU
        count = int(np.count_nonzero(padding))
    if lowest_hu < MIN_HU and out.min() < MIN_HU:
        too_low = out < MIN_HU
        out[too_low] = AIR_HU
        count += int(np.count_nonzero(too_low))
    return count
