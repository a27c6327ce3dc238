"""Whether a header says how stored values become Hounsfield units, and whether they look so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.air_limits import HIGHEST_CHEST_AIR_HU, evenly_sampled
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.plane import Plane

_SLOPE, _INTERCEPT = "RescaleSlope (0028,1053)", "RescaleIntercept (0028,1052)"

MIN_FIELD_MM: Final = 300
"""A field of view as wide as this shows air around the patient, or in the lungs or the bowel."""

BETWEEN_AIR_AND_PADDING_HU: Final = (-1900, -1200)
MAX_LOW_FRACTION: Final = 0.03
"""Noise in air reaches -1200 HU, and padding is -2000 or lower, with lossy compression +-50."""

_PADDING_VALUES: Final = 4
"""Padding is one value, or a few where an image was put together."""

_AIR_PERCENT: Final = 0.1


def scale_rejection(hu: NDArray[np.int16], field_mm: float) -> SeriesError | None:
    """Returns why values are no HU although the header has a rescale; None if they may be.

    Args:
        hu: HU of a whole volume, ``[z, y, x]``.
        field_mm: The smaller side of its slices.
    """
    if field_mm < MIN_FIELD_MM:
        return None
    lowest = float(np.percentile(evenly_sampled(hu), _AIR_PERCENT))
    if lowest <= HIGHEST_CHEST_AIR_HU:
        return None
    msg = (
        f"Nothing is near -1000 HU, the lowest values are {lowest:.0f} HU, although slices of "
        f"{field_mm:.0f} mm show air: RescaleIntercept (0028,1052) or RescaleSlope is wrong"
    )
    return SeriesError(Reason.HU_UNKNOWN, msg)


def count_below_air(hu: NDArray[np.int16]) -> int:
    """Returns how many pixels are in `BETWEEN_AIR_AND_PADDING_HU` without being padding.

    Args:
        hu: HU of one frame, ``[row, column]``, in which padding has not been replaced.
    """
    low, high = BETWEEN_AIR_AND_PADDING_HU
    between = hu[(hu > low) & (hu < high)]
    if between.size == 0:
        return 0
    _, counts = np.unique(between, return_counts=True)
    return int(between.size - np.sort(counts)[-_PADDING_VALUES:].sum())


def twice_rescaled(low_hu: int, voxels: int) -> SeriesError | None:
    """Returns an error if the rescale was applied to values that were HU already; else None.

    Args:
        low_hu: Number of voxels in `BETWEEN_AIR_AND_PADDING_HU`: no tissue is there, and padding
            is one value below.
        voxels: Number of all voxels.
    """
    if low_hu <= MAX_LOW_FRACTION * voxels:
        return None
    msg = (
        f"{low_hu / voxels:.0%} of the voxels lie between {BETWEEN_AIR_AND_PADDING_HU[0]} and "
        f"{BETWEEN_AIR_AND_PADDING_HU[1]} HU, where nothing is: the values were HU before "
        "RescaleIntercept (0028,1052) was applied, or it is wrong"
    )
    return SeriesError(Reason.HU_UNKNOWN, msg)


def hu_fault(plane: Plane) -> SeriesError | None:
    """Returns why the HU of a plane are unknown; None if its header has a rescale.

    A missing rescale is never taken for 1 and 0: CT images must have one (PS3.3, C.8.2.1).

    Args:
        plane: The plane whose rescale is asked for.
    """
    frame, path = plane.frame, str(plane.instance.source)
    for keyword, name in (("RescaleSlope", _SLOPE), ("RescaleIntercept", _INTERCEPT)):
        value = frame.text_of_unreadable(keyword)
        if value:
            msg = f"{name} cannot be read: {value!r}; the HU are unknown"
            return SeriesError(Reason.HU_UNKNOWN, msg, path=path)
    missing = [
        name
        for name, value in ((_SLOPE, frame.rescale_slope), (_INTERCEPT, frame.rescale_intercept))
        if value is None
    ]
    if plane.instance.has_modality_lut and missing:
        msg = (
            "A table leads to HU, the Modality LUT Sequence (0028,3000), which is not supported; "
            "export the series with a rescale"
        )
        return SeriesError(Reason.HU_UNKNOWN, msg, path=path)
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        msg = (
            f"{' and '.join(missing)} {verb} missing, so that the HU are unknown; export the "
            "series again from its source"
        )
        return SeriesError(Reason.HU_UNKNOWN, msg, path=path)
    if frame.rescale_slope == 0:
        msg = f"{_SLOPE} is 0, which makes all pixels equal; the HU are unknown"
        return SeriesError(Reason.HU_UNKNOWN, msg, path=path)
    return None
