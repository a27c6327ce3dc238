"""Density of a nodule: HU, its solid part, its calcification, and the texture read off them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.measurements.size import sphere_diameter_mm, volume_mm3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.contracts import Segmentation
    from hounsfield.preprocessing.volume import Volume

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


@dataclass(frozen=True, slots=True)
class Density:
    """What the texture is read off.

    Attributes:
        solid_fraction: Of the voxels inside the rim, those above `SOLID_FROM_HU`.
        calcification_fraction: Of all voxels, those above `CALCIUM_FROM_HU`.
    """

    solid_fraction: float
    calcification_fraction: float

    @property
    def texture(self) -> Texture:
        """Its name."""
        if self.calcification_fraction >= CALCIFIED_FROM:
            return Texture.CALCIFIED
        if self.solid_fraction >= SOLID_FROM:
            return Texture.SOLID
        return Texture.PART_SOLID if self.solid_fraction >= NON_SOLID_BELOW else Texture.NON_SOLID


def density_of(outlined: Segmentation, volume: Volume) -> Density:
    """Measures both shares; 0 where nothing is half nodule.

    Args:
        outlined: The nodule, best as readers would outline it.
        volume: The series.
    """
    mask, spacing_mm = outlined.mask, volume.spacing_mm
    if not mask.any():
        return Density(0.0, 0.0)
    hu = volume.hu[outlined.box]
    diameter_mm = sphere_diameter_mm(volume_mm3(outlined.fraction, spacing_mm))
    inner = inside_rim(mask, spacing_mm, diameter_mm)
    return Density(
        solid_fraction=float(is_above(hu, SOLID_FROM_HU)[inner].mean()),
        calcification_fraction=float(is_above(hu, CALCIUM_FROM_HU)[mask].mean()),
    )


def mean_and_sd_hu(hu: NDArray[np.int16], mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean and standard deviation of the HU inside a mask."""
    inside = hu[mask]
    return float(inside.mean()), float(inside.std())


def is_above(hu: NDArray[np.int16], threshold_hu: float) -> NDArray[np.bool_]:
    """Where the median over 3 x 3 pixels of a slice is brighter: noise makes no solid specks.

    It is where five of the nine are, which are counted faster than the median is found.
    """
    brighter = (hu > threshold_hu).astype(np.uint8)
    for axis in (1, 2):
        brighter = ndimage.correlate1d(brighter, np.ones(3), axis)
    above: NDArray[np.bool_] = brighter >= 5
    return above


def inside_rim(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], diameter_mm: float
) -> NDArray[np.bool_]:
    """The mask without its rim; the whole of it where hardly a voxel would be left.

    Args:
        mask: ``[z, y, x]``.
        spacing_mm: Along x, y, z.
        diameter_mm: Of the nodule.
    """
    rim_mm = min(RIM_MM, RIM_IN_DIAMETERS * diameter_mm)
    reach = [int(rim_mm / step) for step in spacing_mm[::-1]]
    offsets = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    away_mm = np.sqrt(sum((n * s) ** 2 for n, s in zip(offsets, spacing_mm[::-1], strict=True)))
    inner: NDArray[np.bool_] = ndimage.binary_erosion(mask, away_mm < rim_mm, border_value=1)
    return inner if np.count_nonzero(inner) > 3 else mask


def largest_solid_piece(hu: NDArray[np.int16], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece of a nodule that is brighter than `SOLID_FROM_HU`."""
    pieces, count = ndimage.label(mask & is_above(hu, SOLID_FROM_HU))
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(pieces.ravel())
    largest: NDArray[np.bool_] = pieces == 1 + int(sizes[1:].argmax())
    return largest
