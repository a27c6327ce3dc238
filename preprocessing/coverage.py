"""How much of a chest each series of a study covers, as far as headers show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.preprocessing.series import Series

LUNGS_MM: Final = (300.0, 220.0)
"""Width and depth of the lungs of an adult: what is beyond, a wider field adds in vain."""


def coverage(series_of_study: Sequence[Series]) -> list[float]:
    """Returns the fraction of the lungs' place that each series covers, up to 1.

    The place of the lungs is a box in the middle of the widest field of the study, as long as its
    longest series. A targeted reconstruction of one lung covers half of it, however thin its
    slices are; two fields that are both wider than a chest cover it alike.

    Args:
        series_of_study: Series of one study; those whose position is unknown cover by length alone.
    """
    lengths_mm = [length_mm(series) for series in series_of_study]
    longest_mm = max(lengths_mm, default=0.0)
    boxes = [np.array(series.box_mm) for series in series_of_study if series.box_mm]
    if not boxes or longest_mm == 0:
        return [length / longest_mm if longest_mm else 0.0 for length in lengths_mm]
    widest = max(boxes, key=lambda box: float(np.prod(np.ptp(box, axis=0)[:2])))
    middle = widest.mean(axis=0)[:2]
    half = np.minimum(np.ptp(widest, axis=0)[:2], LUNGS_MM) / 2
    low, high = middle - half, middle + half
    result = []
    for series, length in zip(series_of_study, lengths_mm, strict=True):
        across = 1.0
        if series.box_mm is not None:
            box = np.array(series.box_mm)[:, :2]
            overlap = np.minimum(box[1], high) - np.maximum(box[0], low)
            across = float(np.prod(np.clip(overlap / np.maximum(high - low, 1e-6), 0, 1)))
        result.append(across * length / longest_mm)
    return result


def length_mm(series: Series) -> float:
    """Returns the length of the patient that a stack covers along its normal; 0 if unknown.

    Args:
        series: A series of any format.
    """
    if series.shape_zyx is None or series.spacing_mm is None:
        return 0.0
    return series.shape_zyx[0] * series.spacing_mm[2]
