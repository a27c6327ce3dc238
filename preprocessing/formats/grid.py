"""The grid of a MetaImage or NIfTI: its affine, its size in the patient, its handedness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.extent import crop_rejection
from hounsfield.preprocessing.geometry.reorient import to_upright

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hounsfield.preprocessing.errors import SeriesError


def spacing_of(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """Returns the distance of voxel centres along (x, y, z) of the array, in mm.

    Args:
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
    """
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    return (x, y, z)


def crop_rejection_of(
    shape_zyx: tuple[int, int, int], affine: NDArray[np.float64], path: Path | str
) -> SeriesError | None:
    """Returns why a file is too small to be a chest, in whatever order its voxels are stored.

    Args:
        shape_zyx: Number of slices, rows and columns as stored.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.
        path: The file, for the error.
    """
    order = to_upright(affine).order_zyx
    z, y, x = (shape_zyx[axis] for axis in order)
    spacing = spacing_of(affine)
    across, down, along = (spacing[2 - axis] for axis in reversed(order))
    return crop_rejection((z, y, x), (across, down, along), path)


def right_handed(
    hu: NDArray[np.int16], affine: NDArray[np.float64]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Reverses one axis of a left-handed grid, so that slices rise along rows x columns.

    DICOM slices, sorted along their normal, always do; converters that turn the rows upside
    down (dcm2niix) leave a left-handed grid. In an axial stack the one axis that runs against
    the patient's is reversed, otherwise the rows: this undoes what the converter did.

    Args:
        hu: int16, ``[z, y, x]``.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.

    Returns:
        Array and affine of the same voxels in a right-handed grid; the arguments themselves if
        it is right-handed already.
    """
    if np.linalg.det(affine[:3, :3]) > 0:
        return hu, affine
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    against = np.flatnonzero(np.diag(cosines) < 0)
    is_axial = bool((np.abs(np.diag(cosines)) > 0.5).all())
    axis = int(against[0]) if is_axial and len(against) == 1 else 1
    reversed_affine = affine.copy()
    reversed_affine[:3, 3] += affine[:3, axis] * (hu.shape[2 - axis] - 1)
    reversed_affine[:3, axis] *= -1
    return np.ascontiguousarray(np.flip(hu, 2 - axis)), reversed_affine
