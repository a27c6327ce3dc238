"""Views of real nodules with the readers' outlines, for the segmenter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.views.segmentation import cut_view, view_offsets_mm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.nodule_crops import NoduleCrop

    Cube = NDArray[np.float32]

MASK_SCALE = 255
"""Masks are resampled as integers from 0 to this."""


def outline_centre(nodule: NoduleCrop) -> NDArray[np.float64]:
    """Returns the centre of mass of the mask.

    Args:
        nodule: Nodule with its readers' mask.

    Returns:
        Fractional voxel (z, y, x) of the crop.
    """
    return np.asarray(ndimage.center_of_mass(nodule.mask))


def outline_diameter_mm(nodule: NoduleCrop) -> float:
    """Returns the diameter of the sphere with the mask's volume.

    Args:
        nodule: Nodule with its readers' mask.
    """
    return float((6 * nodule.mask.sum(dtype=float) / np.pi) ** (1 / 3)) * nodule.spacing_mm


def outlined_views(
    nodule: NoduleCrop, centre: NDArray[np.float64], diameter_mm: float
) -> tuple[Cube, Cube]:
    """Cuts the view around a centre.

    Args:
        nodule: Nodule with its readers' mask.
        centre: Centre of the view, voxel (z, y, x) of the crop.
        diameter_mm: Diameter that decides the width of the view.

    Returns:
        HU, and the fraction of each voxel that is nodule, both float32 ``[32, 32, 32]``.
    """
    spacing_mm = (nodule.spacing_mm,) * 3
    scaled_mask = np.rint(nodule.mask * MASK_SCALE).astype(np.int16)
    hu = cut_view(nodule.hu, spacing_mm, centre.tolist(), diameter_mm)
    fraction = cut_view(scaled_mask, spacing_mm, centre.tolist(), diameter_mm)
    return hu.astype(np.float32), fraction.astype(np.float32) / np.float32(MASK_SCALE)


def within_outlined_slices(
    nodule: NoduleCrop, centre: NDArray[np.float64], diameter_mm: float
) -> Cube:
    """Marks the part of a view that lies within the outlined slices of the crop.

    Args:
        nodule: Nodule with its readers' mask.
        centre: Centre of the view, voxel (z, y, x) of the crop.
        diameter_mm: Diameter that decides the width of the view.

    Returns:
        1 within those slices, 0 beyond them, float32 ``[32, 32, 32]``.
    """
    outlined = np.flatnonzero((nodule.mask > 0.5).any(axis=(1, 2)))
    low, high = np.zeros(3), np.array(nodule.hu.shape, float)
    if len(outlined):
        low[0], high[0] = outlined[0], outlined[-1] + 1
    offsets = view_offsets_mm(diameter_mm) / nodule.spacing_mm
    z, y, x = (
        (middle + offsets > first - 0.5) & (middle + offsets < end - 0.5)
        for middle, first, end in zip(centre, low, high, strict=True)
    )
    known: Cube = (z[:, None, None] & y[:, None] & x).astype(np.float32)
    return known
