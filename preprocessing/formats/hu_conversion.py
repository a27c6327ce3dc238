"""From the stored values of a MetaImage or NIfTI to Hounsfield units.

Both formats hold values that are taken for HU, after the header's slope and intercept, where their
distribution says that they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.grid import crop_rejection_of
from hounsfield.preprocessing.formats.hu_scale import hu_intercept
from hounsfield.preprocessing.hu_rounding import rounded_hu

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.preprocessing.codes import Notice


def to_hu(
    stored: NDArray[np.generic],
    affine: NDArray[np.float64],
    path: Path | str,
    *,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> tuple[NDArray[np.int16], tuple[Notice, ...]]:
    """Converts stored values to HU, rounded to integers; padding becomes air.

    Args:
        stored: Values as the file holds them, ``[z, y, x]``.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        path: The file, for the error.
        slope: HU for each step of the stored values.
        intercept: HU of the stored value 0.

    Returns:
        int16 in C order, and notices if padding was replaced or an offset subtracted.

    Raises:
        SeriesError: Values are no HU, NaN, or beyond what int16 holds.
    """
    z, y, x = stored.shape
    is_crop = crop_rejection_of((z, y, x), affine, path) is not None
    intercept, notices = hu_intercept(stored, slope, intercept, str(path), is_crop=is_crop)
    try:
        hu, padding = rounded_hu(stored, slope=slope, intercept=intercept)
    except ValueError as error:
        raise SeriesError(Reason.UNREADABLE, str(error), path=path) from error
    return hu, notices + padding
