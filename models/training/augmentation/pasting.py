"""Pastes real nodules into other lungs, and lung over lung, so that traces of it are no clue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.nodule_crops import NoduleCrop

SOLID_BACKGROUND_HU = -400.0
"""Background brighter than this (wall, vessel) shows through a pasted crop where it is brighter."""

MIN_CONTRAST_HU = 100.0
"""An added nodule must raise the HU of its site by this on average to count as one."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """A nodule to paste: HU and opacity on the same small grid, and its size.

    Attributes:
        hu: float32, ``[z, y, x]``, at 1 mm.
        opacity: float32, same shape, 0 to 1.
        centre_zyx: Centre of the nodule in voxels of the stamp.
        diameter_mm: Diameter of the nodule; 0 for a stamp of plain lung.
    """

    hu: NDArray[np.float32]
    opacity: NDArray[np.float32]
    centre_zyx: NDArray[np.float64]
    diameter_mm: float


def nodule_stamp(
    crop: NoduleCrop,
    rng: np.random.Generator,
    *,
    scale_range: tuple[float, float] = (0.8, 1.25),
) -> Stamp:
    """Rotate, flip and scale a real nodule at random and give it a soft rim.

    Args:
        crop: Nodule with its mask, at 1 mm.
        rng: Source of all random choices.
        scale_range: Smallest and largest scale.

    Returns:
        The nodule with its opacity and new diameter.
    """
    scale = float(rng.uniform(*scale_range))
    angle = float(rng.uniform(0.0, 360.0))
    hu, mask = (
        ndimage.zoom(
            ndimage.rotate(array, angle, axes=(1, 2), reshape=False, order=1, mode="nearest"),
            scale,
            order=1,
        )
        for array in (crop.hu.astype(np.float32), crop.mask)
    )
    flips = tuple(slice(None, None, int(step)) for step in rng.choice((-1, 1), size=3))
    hu, mask = hu[flips], np.clip(mask[flips], 0.0, 1.0)
    rim = ndimage.gaussian_filter(mask, float(rng.uniform(0.8, 1.8)))
    opacity = np.clip(np.maximum(mask, 1.8 * rim), 0.0, 1.0).astype(np.float32)
    centre = np.asarray(ndimage.center_of_mass(mask))
    return Stamp(hu, opacity, centre, crop.finding.diameter_mm * scale)


def lung_stamp(source: NDArray[np.float32], like: Stamp) -> Stamp:
    """Makes a stamp of plain lung with the opacity of a nodule.

    Args:
        source: HU of plain lung, of at least the stamp's shape.
        like: Stamp whose opacity is used.

    Returns:
        A stamp of diameter 0.
    """
    z, y, x = like.opacity.shape
    return Stamp(source[:z, :y, :x], like.opacity, like.centre_zyx, 0.0)


def paste(hu: NDArray[np.float32], stamp: Stamp, centre_zyx: NDArray[np.float64]) -> bool:
    """Pastes a stamp in place, its centre at the voxel nearest to `centre_zyx`.

    Parts beyond the array are cut off. A nodule that would vanish in tissue as dense as itself is
    not pasted.

    Args:
        hu: float32, ``[z, y, x]``, at 1 mm; changed in place.
        stamp: Nodule or plain lung to paste.
        centre_zyx: Centre of the nodule in voxels of `hu`, ``[3]``.

    Returns:
        Whether the stamp was pasted.
    """
    start = np.rint(centre_zyx - stamp.centre_zyx).astype(int)
    low = np.maximum(start, 0)
    high = np.minimum(start + stamp.hu.shape, hu.shape)
    if np.any(high <= low):
        return False
    inside = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    part = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
    background = hu[inside]
    blended = background + stamp.opacity[part] * (stamp.hu[part] - background)
    if stamp.diameter_mm:
        solid = background > SOLID_BACKGROUND_HU
        blended = np.where(solid, np.maximum(blended, background), blended)
        core = stamp.opacity[part] > 0.5
        if not core.any() or np.mean((blended - background)[core]) < MIN_CONTRAST_HU:
            return False
    hu[inside] = blended
    return True
