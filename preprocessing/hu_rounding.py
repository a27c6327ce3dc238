"""HU as a volume holds them: whole numbers in int16, with air where nothing was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode

if TYPE_CHECKING:
    from numpy.typing import NDArray

AIR_HU = -1000
"""HU given to voxels that were never measured: padding, and corners outside a sheared stack."""

MIN_HU = -1024
"""No scanner measures less on the scale of CT. Lower values are padding and become `AIR_HU`:
scanners pad with -2000, and some tools add the intercept to that."""

_SLAB_VOXELS = 2**22
"""Voxels that are converted at once, so that floats of the whole volume never exist."""


def rounded_hu(
    values: NDArray[np.generic], *, slope: float = 1.0, intercept: float = 0.0
) -> tuple[NDArray[np.int16], tuple[Notice, ...]]:
    """Rounds HU to integers in a new array, and replaces padding by air.

    Values below `MIN_HU` are padding, and so is NaN that reaches the edge of the array: programs
    that resample leave it where nothing was measured.

    Args:
        values: Hounsfield units, or what `slope` and `intercept` make them, of any integer or
            float type and any shape but a scalar.
        slope: HU for each step of the values.
        intercept: HU of the value 0.

    Returns:
        int16 in C order, and a notice if padding was replaced.

    Raises:
        ValueError: There are values beyond what int16 holds, or NaN inside the array or in more
            than half of it.
    """
    hu = np.empty(values.shape, dtype=np.int16)
    limits = np.iinfo(np.int16)
    lowest, highest = np.inf, -np.inf
    missing = padding = 0
    rows = max(1, _SLAB_VOXELS // max(1, values[0].size))
    for start in range(0, len(values), rows):
        slab: NDArray[Any] = values[start : start + rows]
        if (slope, intercept) != (1, 0):
            slab = slab * slope + intercept
        if slab.dtype.kind == "f":
            slab, count = _with_air_for_nan(np.rint(slab))
            missing += count
        low, high = float(slab.min()), float(slab.max())
        lowest, highest = min(lowest, low), max(highest, high)
        if low < limits.min or high > limits.max:
            continue  # refused below, with the range of all values
        out = hu[start : start + rows]
        out[...] = slab
        if low < MIN_HU:
            below = out < MIN_HU
            padding += int(np.count_nonzero(below))
            out[below] = AIR_HU
    if missing > values.size / 2 or (missing and _nan_inside(values)):
        msg = f"HU must be numbers, got {missing} that are NaN: replace them by air, {AIR_HU}"
        raise ValueError(msg)
    if lowest < limits.min or highest > limits.max:
        msg = f"HU must lie in [{limits.min}, {limits.max}], got [{lowest}, {highest}]"
        raise ValueError(msg)
    return hu, _padding_notice(padding, missing, lowest)


def _with_air_for_nan(slab: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Replaces NaN in an array of its own, and counts it."""
    is_nan = np.isnan(slab)
    count = int(np.count_nonzero(is_nan))
    if count:
        slab[is_nan] = AIR_HU
    return slab, count


def _nan_inside(values: NDArray[Any]) -> bool:
    """Whether NaN lies within what was measured, apart from the edges of the array."""
    from scipy import ndimage

    regions, count = ndimage.label(np.isnan(values))
    at_edge = np.zeros(count + 1, dtype=bool)
    for axis in range(values.ndim):
        for end in (0, -1):
            at_edge[np.unique(regions.take(end, axis))] = True
    return not bool(at_edge[1:].all())


def _padding_notice(padding: int, missing: int, lowest_hu: float) -> tuple[Notice, ...]:
    if padding + missing == 0:  # perhaps a fraction below, as -1024.4 is
        return ()
    parts = []
    if padding:
        parts.append(f"{padding} voxels below {MIN_HU} HU")
    if missing:
        parts.append(f"{missing} voxels that are NaN, at the edge of the image,")
    message = f"{' and '.join(parts)} are padding and were set to {AIR_HU} HU."
    numbers = {"voxels": padding + missing, "lowest_hu": lowest_hu}
    return (Notice(NoticeCode.PADDING_REPLACED, message, numbers),)
