"""``segmentation.nii.gz``: voxel labels of the findings, on the grid of the series."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.formats.nifti import write_nifti
from hounsfield.preprocessing.geometry.reorient import to_upright

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.contracts import Segmentation
    from hounsfield.preprocessing.volume import Volume


def segmentation_file(volume: Volume, outlines: Sequence[Segmentation | None]) -> bytes:
    """Write a label image: each voxel holds the number of its finding, from 1, or 0.

    Where two findings share a voxel, the one with the better score keeps it.

    Args:
        volume: The series on its native grid, which the labels share.
        outlines: Boundary of each finding on the upright grid, best score first; None where it
            has none.

    Returns:
        A gzipped NIfTI file with a RAS affine.
    """
    labels = np.zeros(volume.shape_zyx, np.min_scalar_type(len(outlines)))
    upright = to_upright(volume.affine).view(labels)
    for number, outline in reversed(list(enumerate(outlines, start=1))):
        if outline is not None:
            upright[outline.box][outline.mask] = number
    stream = io.BytesIO()
    write_nifti(labels, volume.affine, stream)
    return stream.getvalue()
