"""Brings a volume to a standard orientation by swaps and flips of its axes, without resampling."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume


def upright_view(volume: Volume) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Views a volume with x to the patient's left, y to the back and z to the head.

    Sagittal, coronal, feet-first and prone series all come out alike. An oblique series keeps
    its residual rotation, below 55 degrees, in the affine.

    Args:
        volume: A series on its native grid, in any orientation.

    Returns:
        The HU as a view, ``[z, y, x]``, and the affine that maps its (x, y, z) indices to
        LPS mm.
    """
    spacing_mm = np.asarray(volume.spacing_mm)
    cosines = volume.affine[:3, :3] / spacing_mm
    source_of = max(
        permutations(range(3)), key=lambda order: sum(abs(cosines[i, order[i]]) for i in range(3))
    )
    hu = volume.hu.transpose([2 - source_of[2 - axis] for axis in range(3)])
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, list(source_of)]
    for axis in range(3):
        if affine[axis, axis] < 0:
            hu = np.flip(hu, 2 - axis)
            affine[:3, 3] += affine[:3, axis] * (hu.shape[2 - axis] - 1)
            affine[:3, axis] *= -1
    return hu, affine
