"""Dilation, erosion and closing of masks, fast enough for a whole chest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dilate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns the mask with the voxels that share a face with it.

    The result equals that of `scipy.ndimage.binary_dilation`, in a third of its time.

    Args:
        mask: bool, of any number of axes.
    """
    grown = mask.copy()
    for axis in range(mask.ndim):
        target, source = np.moveaxis(grown, axis, 0), np.moveaxis(mask, axis, 0)
        target[1:] |= source[:-1]
        target[:-1] |= source[1:]
    return grown


def erode(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns the mask without the voxels that share a face with the background.

    The edge of the array does not count as background: lung that the field of view cuts is not
    eroded at the cut.

    Args:
        mask: bool, of any number of axes.
    """
    return ~dilate(~mask)


def within(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Returns the voxels within a distance of the mask, accurate to about one voxel.

    The distance is computed on every second voxel and interpolated, which takes a tenth of the
    time.

    Args:
        mask: bool, ``[z, y, x]``, on an isotropic grid.
        radius: Largest distance in voxels, fractional.
    """
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return mask.copy()
    half = _halve(mask)
    distance = distance_transform_edt(~half).astype(np.float32) * 2
    fine = _double(distance, mask.shape)
    return (fine <= radius) | mask


def close(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Returns the mask closed with a ball, accurate to about one voxel; it contains the mask.

    Args:
        mask: bool, ``[z, y, x]``, on an isotropic grid.
        radius: Radius of the ball in voxels.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    if not mask.any():
        return mask.copy()
    box = find_objects(mask.view(np.uint8))[0]
    half = np.pad(_halve(mask[box]), int(np.ceil(radius / 2)) + 1)
    grown = distance_transform_edt(~half) * 2 <= radius
    depth = (distance_transform_edt(grown).astype(np.float32) * 2) - radius
    pad = int(np.ceil(radius / 2)) + 1
    inner = depth[tuple(slice(pad, size - pad) for size in depth.shape)]
    closed = mask.copy()
    # The distance inside counts from the first voxel outside, one half-grid voxel too far.
    closed[box] |= _double(inner, mask[box].shape) > 1
    return closed


def _halve(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Joins blocks of 2 x 2 x 2; a block is set if at least half of it is."""
    padded = np.pad(mask, [(0, size % 2) for size in mask.shape], mode="edge")
    z, y, x = (size // 2 for size in padded.shape)
    counts = padded.view(np.uint8).reshape(z, 2, y, 2, x, 2).sum(axis=(1, 3, 5), dtype=np.uint8)
    half: NDArray[np.bool_] = counts >= 4
    return half


def _double(field: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Interpolates a field on the grid of `_halve` back to full size, and crops it to `shape`."""
    for axis in range(field.ndim):
        moved = np.moveaxis(field, axis, 0)
        before = np.concatenate([moved[:1], moved[:-1]])
        after = np.concatenate([moved[1:], moved[-1:]])
        doubled = np.empty((2 * len(moved), *moved.shape[1:]), dtype=np.float32)
        doubled[0::2] = 0.75 * moved + 0.25 * before
        doubled[1::2] = 0.75 * moved + 0.25 * after
        field = np.moveaxis(doubled, 0, axis)
    return field[tuple(slice(0, size) for size in shape)]
