"""Density of a nodule: its HU, solid part, calcification, and the texture read off them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.kinds import Texture
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
"""Depth of the rim that partial volume darkens, limited to this fraction of the diameter."""

NON_SOLID_BELOW, SOLID_FROM = 0.15, 0.60
"""Fraction of solid voxels inside the rim of a reader-style segmentation; fitted to the median
texture that the readers of LIDC-IDRI gave: 1 is non-solid, 2 and 3 are part-solid, 4 and 5 solid.
(4 counts as solid: the median HU of nodules rated 1 to 5 are -658, -564, -544, -343 and -298.)"""

CALCIFIED_FROM = 0.05
"""Fraction of calcified voxels. Of LIDC-IDRI's nodules without calcification 9 in 10 have less than
0.002; of those that readers rated as calcified throughout 9 in 10 have more than 0.12."""

SPACING_TOLERANCE = 1e-6
"""A voxel exactly at the depth of the rim lies inside it, however a header rounds the spacing."""

MIN_INNER_VOXELS = 4
"""Nodules with fewer voxels inside the rim are measured with their rim."""


@dataclass(frozen=True, slots=True)
class Density:
    """The fractions that decide the texture.

    Attributes:
        solid_fraction: Fraction of the voxels inside the rim that are above `SOLID_FROM_HU`.
        calcification_fraction: Fraction of all voxels that are above `CALCIUM_FROM_HU`.
    """

    solid_fraction: float
    calcification_fraction: float

    @property
    def texture(self) -> Texture:
        """The texture by the thresholds of this module; calcification comes first."""
        if self.calcification_fraction >= CALCIFIED_FROM:
            return Texture.CALCIFIED
        if self.solid_fraction >= SOLID_FROM:
            return Texture.SOLID
        return Texture.PART_SOLID if self.solid_fraction >= NON_SOLID_BELOW else Texture.NON_SOLID


def density_of(segmentation: Segmentation, volume: Volume) -> Density:
    """Measures the solid and the calcified fraction of a nodule.

    Args:
        segmentation: The nodule, preferably reader-style, for which the thresholds were fitted.
        volume: The series on its native grid, on which the nodule was segmented.

    Returns:
        Both fractions; 0 where no voxel is at least half nodule.
    """
    mask, spacing_mm = segmentation.mask, volume.spacing_mm
    if not mask.any():
        return Density(0.0, 0.0)
    hu = volume.hu[segmentation.box]
    diameter_mm = sphere_diameter_mm(volume_mm3(segmentation.fraction, spacing_mm))
    inner = inside_rim(mask, spacing_mm, diameter_mm)
    return Density(
        solid_fraction=float(is_above(hu, SOLID_FROM_HU)[inner].mean()),
        calcification_fraction=float(is_above(hu, CALCIUM_FROM_HU)[mask].mean()),
    )


def mean_and_sd_hu(hu: NDArray[np.int16], mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Computes mean and standard deviation of the HU inside a mask.

    Args:
        hu: ``[z, y, x]``, any box of a volume.
        mask: Same shape, with at least one voxel.

    Returns:
        Mean and standard deviation in HU.
    """
    inside = hu[mask]
    return float(inside.mean()), float(inside.std())


def is_above(hu: NDArray[np.int16], threshold_hu: float) -> NDArray[np.bool_]:
    """Finds the voxels that are above a threshold after a median filter, which removes noise.

    The median over 3 x 3 pixels of a slice is above the threshold where five of the nine are, and
    counting them is faster than computing the median.

    Args:
        hu: ``[z, y, x]``; the axial slices are the planes of the first axis.
        threshold_hu: Voxels at the threshold itself are not above it.

    Returns:
        Same shape.
    """
    above_threshold = (hu > threshold_hu).astype(np.uint8)
    for axis in (1, 2):
        above_threshold = ndimage.correlate1d(above_threshold, np.ones(3), axis)
    above: NDArray[np.bool_] = above_threshold >= 5
    return above


def inside_rim(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float], diameter_mm: float
) -> NDArray[np.bool_]:
    """Removes the rim of a mask; keeps all of it where fewer than `MIN_INNER_VOXELS` would remain.

    Args:
        mask: ``[z, y, x]``, the voxels of a nodule.
        spacing_mm: Distance of the voxels along x, y, z.
        diameter_mm: Diameter of the nodule, which limits the depth of the rim.

    Returns:
        Same shape.
    """
    rim_mm = min(RIM_MM, RIM_IN_DIAMETERS * diameter_mm)
    reach = [int(rim_mm / step + SPACING_TOLERANCE) for step in spacing_mm[::-1]]
    offsets = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    away_mm = np.sqrt(sum((n * s) ** 2 for n, s in zip(offsets, spacing_mm[::-1], strict=True)))
    inner: NDArray[np.bool_] = ndimage.binary_erosion(
        mask, away_mm < rim_mm * (1 - SPACING_TOLERANCE), border_value=1
    )
    return inner if np.count_nonzero(inner) >= MIN_INNER_VOXELS else mask


def largest_solid_piece(hu: NDArray[np.int16], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Finds the largest connected part of a nodule that is above `SOLID_FROM_HU`.

    Args:
        hu: ``[z, y, x]``, the box of the nodule.
        mask: Same shape, the voxels of the nodule.

    Returns:
        Same shape; False everywhere where no voxel is solid.
    """
    pieces, count = ndimage.label(mask & is_above(hu, SOLID_FROM_HU))
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(pieces.ravel())
    largest: NDArray[np.bool_] = pieces == 1 + int(sizes[1:].argmax())
    return largest
