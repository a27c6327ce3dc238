"""How far a nodule is from the surface of its lung."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from hounsfield.models.contracts import Segmentation
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume

REACH_MM = 20.0
"""No surface is looked for farther away than this."""


def pleura_distance_mm(segmentation: Segmentation, volume: Volume, working: WorkingVolume) -> float:
    """Shortest way from a nodule to where the lung ends; 0 where it touches, at most `REACH_MM`.

    The lung's labels and the nodule together are the lung: a nodule at the wall is often not
    part of the labels. The surface towards the mediastinum counts, fissures are not seen.

    Args:
        segmentation: The nodule.
        volume: The series it was segmented in.
        working: The same series with its lung labels; they decide how exact the distance is.
    """
    voxels_zyx = np.argwhere(segmentation.mask) + segmentation.start_zyx
    if not len(voxels_zyx):
        return REACH_MM
    world = volume.world_mm(voxels_zyx[:, ::-1])
    nodule = np.rint(working.voxel_xyz(world)[:, ::-1]).astype(int)
    step_zyx = np.array(working.spacing_mm[::-1])
    reach = np.ceil(REACH_MM / step_zyx).astype(int)
    low = np.clip(nodule.min(axis=0) - reach, 0, working.lung_labels.shape)
    high = np.clip(nodule.max(axis=0) + reach + 1, 0, working.lung_labels.shape)
    lung = working.lung_labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] > 0
    nodule = nodule[((nodule >= low) & (nodule < high)).all(axis=1)] - low
    if not len(nodule):
        return 0.0  # beyond the box around the lungs
    lung[tuple(nodule.T)] = True
    lung = ndimage.binary_fill_holes(lung)  # vessels that the labels leave out
    if lung.all():
        return REACH_MM
    depth = ndimage.distance_transform_edt(lung, sampling=step_zyx)[tuple(nodule.T)]
    return float(np.clip(depth.min() - step_zyx.min(), 0.0, REACH_MM))
