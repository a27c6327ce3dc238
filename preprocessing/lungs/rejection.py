"""Decides whether a series is a chest at all: its size, and the lungs found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import size_rejection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

MIN_LUNGS_ML = 150.0
"""With less lung it is not a chest: the lung bases on an abdominal CT, the sinuses of a head."""

MAX_LUNGS_ML = 14_000.0
"""With more it is not lung, or the spacing is wrong: the largest lungs of men hold 10 litres at
full inspiration, those of severe emphysema 12."""

MAX_CUT_PER_CM = 0.8
"""Area where the field of view cuts the lungs, over their volume. A slab of 4 cm through the chest,
the thinnest that is analysed, has 0.5; the foam of a head holder, open to all sides, had 1.5."""

CROP_LUNG_FRACTION, MIN_CROP_ML = 0.2, 5.0
"""A box cropped out of a lung is smaller, but lung fills at least this fraction of it."""


def body_rejection(volume: Volume) -> SeriesError | None:
    """Returns an error if by its spacing a series cannot be a patient; else None.

    Headers are asked before. With a wrong spacing the coarse grid of the lungs would fill the
    memory.

    Args:
        volume: A series on its native grid.
    """
    return size_rejection(volume.shape_zyx, spacing_mm=volume.spacing_mm)


def lungs_rejection(
    lungs: NDArray[np.bool_], *, voxel_ml: float, cut_cm2: float, body_part_examined: str
) -> SeriesError | None:
    """Returns an error if a region is too small, too large or too open to be lungs; else None.

    Args:
        lungs: The aerated region in the whole field of view, ``[z, y, x]``.
        voxel_ml: Volume of one voxel.
        cut_cm2: Area in which the field of view cuts the region.
        body_part_examined: (0018,0015), upper case; it decides between `lungs_not_found` and
            `not_chest`.
    """
    lung_ml = np.count_nonzero(lungs) * voxel_ml
    if lung_ml > MAX_LUNGS_ML:
        msg = (
            f"By its spacing the series holds {lung_ml / 1000:.0f} litres of lung, the largest "
            f"lungs hold {MAX_LUNGS_ML / 1000:.0f}; the spacing in its header is wrong"
        )
        return SeriesError(Reason.IMPOSSIBLE_SIZE, msg)
    is_crop = lung_ml >= MIN_CROP_ML and lungs.mean() >= CROP_LUNG_FRACTION
    is_open = cut_cm2 > MAX_CUT_PER_CM * lung_ml
    if is_crop or (lung_ml >= MIN_LUNGS_ML and not is_open):
        return None
    cause = f"found {lung_ml:.0f} ml of aerated lung, at least {MIN_LUNGS_ML:.0f} ml are needed"
    if is_open:
        cause = f"{lung_ml:.0f} ml that could be lung are open to the edge of the field of view"
    if any(word in body_part_examined for word in ("CHEST", "LUNG", "THORAX")):
        msg = (
            f"No lungs in a series with BodyPartExamined {body_part_examined!r} (0018,0015): "
            f"{cause}"
        )
        return SeriesError(Reason.LUNGS_NOT_FOUND, msg)
    msg = f"Not a chest CT: {cause} (BodyPartExamined {body_part_examined!r})"
    return SeriesError(Reason.NOT_CHEST, msg)
