"""Distance of a nodule from the surface of its lung."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from hounsfield.models.contracts import Segmentation
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume

MAX_DISTANCE_MM = 20.0
"""The surface is searched up to here; larger distances are reported as this one."""


def pleura_distance_mm(segmentation: Segmentation, volume: Volume, working: WorkingVolume) -> float:
    """Computes the shortest distance between a nodule and the surface of the lung.

    Lung labels and nodule together count as lung, because the labels often exclude a nodule at the
    chest wall. The mediastinal surface counts, fissures do not.

    Args:
        segmentation: The nodule on the grid of `volume`.
        volume: The series in which it was segmented.
        working: Working volume of that series; the spacing of its lung labels limits the
            precision.

    Returns:
        The distance in mm, 0 where the nodule touches the surface, at most `MAX_DISTANCE_MM`.
    """
    voxels_zyx = np.argwhere(segmentation.mask) + segmentation.start_zyx
    if not len(voxels_zyx):
        return MAX_DISTANCE_MM
    world = volume.world_mm(voxels_zyx[:, ::-1])
    nodule = np.rint(working.voxel_xyz(world)[:, ::-1]).astype(int)
    step_zyx = np.array(working.spacing_mm[::-1])
    reach = np.ceil(MAX_DISTANCE_MM / step_zyx).astype(int)
    low = np.clip(nodule.min(axis=0) - reach, 0, working.lung_labels.shape)
    high = np.clip(nodule.max(axis=0) + reach + 1, 0, working.lung_labels.shape)
    lung = working.lung_labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] > 0
    nodule = nodule[((nodule >= low) & (nodule < high)).all(axis=1)] - low
    if not len(nodule):
        return 0.0  # outside the box around the lungs
    lung[tuple(nodule.T)] = True
    lung = ndimage.binary_fill_holes(lung)  # vessels are not part of the labels
    if lung.all():
        return MAX_DISTANCE_MM
    depth = ndimage.distance_transform_edt(lung, sampling=step_zyx)[tuple(nodule.T)]
    return float(np.clip(depth.min() - step_zyx.min(), 0.0, MAX_DISTANCE_MM))
