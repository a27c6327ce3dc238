"""What the classifier looks at: a nodule close up, and its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from preprocessing.resampling import resample_separable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VIEW_VOXELS = 40
"""Edge of both views, in voxels of the view."""

VIEW_SPACINGS_MM = (1.0, 4.0)
"""Close up: 40 mm, the nodule's margin and texture. Around it: 160 mm, where in the chest it is."""


def nodule_views(
    hu: NDArray[np.int16], spacing_mm: float, centre_voxel_zyx: Sequence[float]
) -> NDArray[np.int16]:
    """Cuts both views around a place.

    Args:
        hu: ``[z, y, x]`` of a working volume.
        spacing_mm: Of that volume.
        centre_voxel_zyx: The place, in voxels of that volume.

    Returns:
        HU, ``[2, 40, 40, 40]``; air beyond the volume.
    """
    steps = np.arange(VIEW_VOXELS) - (VIEW_VOXELS - 1) / 2
    views = []
    for view_spacing_mm in VIEW_SPACINGS_MM:
        z, y, x = (centre + steps * view_spacing_mm / spacing_mm for centre in centre_voxel_zyx)
        views.append(resample_separable(hu, (z, y, x), threads=1))
    return np.stack(views)
