"""Density of a nodule: HU, its solid part, its calcification, and the texture read off them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOLID_FROM_HU = -300.0
"""Solid tissue in a part-solid nodule: Scholten et al., PLoS One 2013;8:e80249."""

CALCIUM_FROM_HU = 200.0
"""Above soft tissue with contrast agent and below dense calcium."""

RIM_MM, RIM_IN_DIAMETERS = 1.2, 0.25
"""Depth of the rim that partial volume darkens, and at most this part of the diameter."""

NON_SOLID_BELOW, SOLID_FROM = 0.15, 0.60
"""Share of solid voxels inside the rim of what readers would outline; fitted to the median texture
that the readers of LIDC-IDRI gave: 1 is non-solid, 2 and 3 are part-solid, 4 and 5 solid. (4 lies
with 5: the median HU of nodules rated 1 to 5 are -658, -564, -544, -343 and -298.)"""

CALCIFIED_FROM = 0.05
"""Share of calcium; of LIDC-IDRI's nodules without any, 9 in 10 have less than 0.002, of those read
as calcified all through, 9 in 10 have more than 0.12."""


class Texture(StrEnum):
    """What a nodule is made of, in the words of Lung-RADS v2022."""

    SOLID = "solid"
    PART_SOLID = "part_solid"
    NON_SOLID = "non_solid"
    CALCIFIED = "calcified"


def mean_and_sd_hu(hu: NDArray[np.int16], mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean and standard deviation of the HU inside a mask."""
    inside = hu[mask]
    return float(inside.mean()), float(inside.std())


def without_noise(hu: NDArray[np.int16]) -> NDArray[np.int16]:
    """HU after a median over 3 x 3 pixels of each slice, so that noise makes no solid specks."""
    smooth: NDArray[np.int16] = ndimage.median_filter(hu, size=(1, 3, 3))
    return smooth


def inside_rim(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], diameter_mm: float
) -> NDArray[np.bool_]:
    """The mask without its rim; the whole of it where hardly a voxel would be left.

    Args:
        mask: ``[z, y, x]``.
        spacing_mm: Along x, y, z.
        diameter_mm: Of the nodule.
    """
    depth = ndimage.distance_transform_edt(mask, sampling=spacing_mm[::-1])
    inner: NDArray[np.bool_] = depth >= min(RIM_MM, RIM_IN_DIAMETERS * diameter_mm)
    return inner if np.count_nonzero(inner) > 3 else mask


def share_above(hu: NDArray[np.int16], mask: NDArray[np.bool_], threshold_hu: float) -> float:
    """Share of a mask's voxels that are brighter than a threshold."""
    return float((hu[mask] > threshold_hu).mean())


def largest_solid_piece(hu: NDArray[np.int16], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece of a nodule that is brighter than `SOLID_FROM_HU`."""
    pieces, count = ndimage.label(mask & (hu > SOLID_FROM_HU))
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(pieces.ravel())
    largest: NDArray[np.bool_] = pieces == 1 + int(sizes[1:].argmax())
    return largest


def texture_of(*, solid_share: float, calcification_share: float) -> Texture:
    """Names the texture.

    Args:
        solid_share: Of the voxels inside the rim, those above `SOLID_FROM_HU`.
        calcification_share: Of all voxels, those above `CALCIUM_FROM_HU`.
    """
    if calcification_share >= CALCIFIED_FROM:
        return Texture.CALCIFIED
    if solid_share >= SOLID_FROM:
        return Texture.SOLID
    return Texture.PART_SOLID if solid_share >= NON_SOLID_BELOW else Texture.NON_SOLID
