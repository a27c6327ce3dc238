"""Views of real nodules that readers outlined, for the segmenter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.models.views.segmentation import cut_view, view_offsets_mm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.nodule_crops import NoduleCrop

    Cube = NDArray[np.float32]

FULL = 255
"""Masks are resampled as whole numbers, in parts of this."""


def outline_centre(nodule: NoduleCrop) -> NDArray[np.float64]:
    """Centre of mass of the mask, in voxels."""
    return np.asarray(ndimage.center_of_mass(nodule.mask))


def outline_diameter_mm(nodule: NoduleCrop) -> float:
    """Of the sphere of the mask's volume."""
    return float((6 * nodule.mask.sum(dtype=float) / np.pi) ** (1 / 3)) * nodule.spacing_mm


def outlined_views(
    nodule: NoduleCrop, centre: NDArray[np.float64], diameter_mm: float
) -> tuple[Cube, Cube]:
    """HU and share of nodule of the view around a centre, in voxels of the crop."""
    spacing_mm = (nodule.spacing_mm,) * 3
    parts = np.rint(nodule.mask * FULL).astype(np.int16)
    hu = cut_view(nodule.hu, spacing_mm, centre.tolist(), diameter_mm)
    share = cut_view(parts, spacing_mm, centre.tolist(), diameter_mm)
    return hu.astype(np.float32), share.astype(np.float32) / np.float32(FULL)


def within_outlined_slices(
    nodule: NoduleCrop, centre: NDArray[np.float64], diameter_mm: float
) -> Cube:
    """1 within the outlined slices of the crop, 0 beyond them."""
    outlined = np.flatnonzero((nodule.mask > 0.5).any(axis=(1, 2)))
    low, high = np.zeros(3), np.array(nodule.hu.shape, float)
    if len(outlined):
        low[0], high[0] = outlined[0], outlined[-1] + 1
    offsets = view_offsets_mm(diameter_mm) / nodule.spacing_mm
    z, y, x = (
        (at + offsets > first - 0.5) & (at + offsets < end - 0.5)
        for at, first, end in zip(centre, low, high, strict=True)
    )
    known: Cube = (z[:, None, None] & y[:, None] & x).astype(np.float32)
    return known
