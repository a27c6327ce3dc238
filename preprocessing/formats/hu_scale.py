"""Whether values that a file calls HU are HU, by their distribution.

MetaImage and NIfTI state no unit. Their values are HU where a converter applied the rescale of the
DICOM files. Where it did not, or where they were windowed, scaled or are a mask, they look like an
image and are wrong in every measurement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.air_limits import (
    HIGHEST_CHEST_AIR_HU,
    HIGHEST_LUNG_HU,
    evenly_sampled,
)
from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

STORED_OFFSET: Final = 1024
"""Scanners store HU + 1024; with the rescale left out that is what a converter writes."""

MIN_CONTINUOUS_HU: Final = -1300
MAX_BELOW_FRACTION: Final = 0.05
"""Noise reaches -1200 HU. More of an image below that, in more than a few values, is no padding:
the scale is another, or the rescale was applied twice."""

_PADDING_VALUES: Final = 4
_PADDING_FRACTION: Final = 0.01
_HIGHEST_PADDING_HU: Final = -1000


def hu_intercept(
    stored: NDArray[np.generic], slope: float, intercept: float, path: str, *, is_crop: bool
) -> tuple[float, tuple[Notice, ...]]:
    """Returns the HU of the stored value 0, once the values have been seen to be HU.

    Args:
        stored: The values of the file, any shape.
        slope: HU for each step of the stored values, by the header.
        intercept: HU of the stored value 0, by the header.
        path: The file, for the error.
        is_crop: Whether the volume is smaller than a chest, so that it need not hold air.

    Returns:
        The header's intercept; or 1024 less, with a notice, where the values are certainly
        HU + 1024.

    Raises:
        SeriesError: `hu_unknown`, with what the values are instead.
    """
    values = evenly_sampled(stored).astype(np.float64) * slope + intercept
    values = values[np.isfinite(values)]
    if values.size == 0:
        return intercept, ()
    measured = values if is_crop else _without_padding(values)
    low, high = np.percentile(measured, (0.1, 99.9)).tolist()
    if low <= (HIGHEST_LUNG_HU if is_crop else HIGHEST_CHEST_AIR_HU):
        below = _fraction_below(values)
        if below <= MAX_BELOW_FRACTION:
            return intercept, ()
        msg = (
            f"{below:.0%} of the values lie below {MIN_CONTINUOUS_HU}, down to {values.min():g}, "
            "where no tissue is: they are not HU, the rescale was applied twice or the values are "
            "scaled; convert the series again from its DICOM files"
        )
        raise SeriesError(Reason.HU_UNKNOWN, msg, path=path)
    peaks = _peaks_of_stored_values(values) if low >= 0 else None
    if peaks is None:
        raise SeriesError(Reason.HU_UNKNOWN, _sentence(values, low, high), path=path)
    air, tissue = peaks
    message = (
        f"The values are HU + {STORED_OFFSET}: none is below 0, air lies at {air}, soft tissue at "
        f"{tissue}; {STORED_OFFSET} was subtracted."
    )
    numbers = {"air_value": air, "tissue_value": tissue, "subtracted_hu": STORED_OFFSET}
    return intercept - STORED_OFFSET, (Notice(NoticeCode.HU_SUSPECT, message, numbers),)


def _without_padding(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values without the lowest one, where that is a constant around the image.

    A window of grey levels whose surroundings were set to air is no HU for that.
    """
    lowest = values.min()
    is_lowest = values == lowest
    share = float(is_lowest.mean())
    is_padding = lowest <= _HIGHEST_PADDING_HU and _PADDING_FRACTION <= share < 1
    return values[~is_lowest] if is_padding else values


def _fraction_below(values: NDArray[np.float64]) -> float:
    """The share of values below `MIN_CONTINUOUS_HU`, a few constants (padding) left out."""
    below = values[values < MIN_CONTINUOUS_HU]
    if below.size <= MAX_BELOW_FRACTION * values.size:
        return 0.0
    _, counts = np.unique(np.rint(below), return_counts=True)
    constants = np.sort(counts)[-_PADDING_VALUES:].sum()
    return float((below.size - constants) / values.size)


def _peaks_of_stored_values(values: NDArray[np.float64]) -> tuple[int, int] | None:
    """Where air and soft tissue lie, if the values are HU + 1024 beyond doubt; else None.

    HU + 1000 is the other offset that programs use. It puts air at 0, where it is cut off; HU +
    1024 puts it at 24. So without a peak there, apart from the 0 of padding, the offset is open.
    """
    counts = np.bincount(np.rint(values[(values >= 0.5) & (values < 4096)]).astype(np.intp))
    counts = np.pad(counts, (0, max(0, 4096 - counts.size)))
    smooth = np.convolve(counts, np.ones(9), mode="same")
    air = int(smooth[1:101].argmax()) + 1
    tissue = int(smooth[824:1224].argmax()) + 824
    share = 1 / values.size
    lung, between, soft = (
        counts[low:high].sum() * share for low, high in ((74, 574), (574, 824), (824, 1224))
    )
    certain = (
        14 <= air <= 32
        and counts[air - 12 : air + 13].sum() * share >= 5e-4
        and smooth[air] > 1.5 * smooth[air + 60]
        and 900 <= tissue <= 1130
        and counts[1024:1134].sum() * share >= 0.02
        and lung >= 0.01
        and between < soft
    )
    return (air, tissue) if certain else None


def _sentence(values: NDArray[np.float64], low: float, high: float) -> str:
    """What the values are, as far as they show it; `low` and `high` without padding."""
    distinct = np.unique(values[:100_000])
    if distinct.size <= 32 and (distinct == np.rint(distinct)).all():
        low, high = distinct[0], distinct[-1]
        guess = f"{distinct.size} different whole numbers, as a mask has"
    elif low >= -0.01 and high <= 1.01:
        guess = "fractions of a window or of a maximum"
    elif low >= -20 and high <= 20:
        guess = "normalised, or HU divided by 1000"
    elif low >= 0 and high <= 255:
        guess = "grey levels of a window"
    elif low >= 0:
        guess = "stored values without their rescale, or another modality"
    else:
        guess = "a window without air, or another scale"
    return (
        f"The values lie between {low:.4g} and {high:.4g}, but HU of a chest go down to air, near "
        f"-1000: they are not HU ({guess}); convert the series again from its DICOM files, "
        "unscaled and without a window"
    )
