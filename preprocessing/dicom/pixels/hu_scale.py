"""Whether a header says how stored values become Hounsfield units, and whether they look so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hounsfield.preprocessing.air_limits import HIGHEST_CHEST_AIR_HU, evenly_sampled
from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.plane import Plane

_SLOPE, _INTERCEPT = "RescaleSlope (0028,1053)", "RescaleIntercept (0028,1052)"

MIN_FIELD_MM: Final = 300
"""A field of view as wide as this shows air around the patient, or in the lungs or the bowel."""

_AIR_PERCENT: Final = 0.1


def no_air_notice(hu: NDArray[np.int16], field_mm: float) -> Notice | None:
    """Returns a notice if a wide image holds no air, so that its rescale must be doubted.

    Args:
        hu: HU of a whole volume, ``[z, y, x]``.
        field_mm: The smaller side of its slices.
    """
    if field_mm < MIN_FIELD_MM:
        return None
    lowest = float(np.percentile(evenly_sampled(hu), _AIR_PERCENT))
    if lowest <= HIGHEST_CHEST_AIR_HU:
        return None
    message = (
        f"Nothing is near -1000 HU, the lowest values are {lowest:.0f} HU, although slices of "
        f"{field_mm:.0f} mm show air: all HU may be wrong"
    )
    return Notice(NoticeCode.HU_SUSPECT, message, {"lowest_hu": lowest})


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
