"""Close and wide view of a place: the input of classifier and reducer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.geometry.resampling import resample_separable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VIEW_VOXELS = 40
"""Edge of both views of the classifier, in voxels of the view."""

VIEW_SPACINGS_MM = (1.0, 4.0)
"""Close view of 40 mm: margin and texture. Wide view of 160 mm: position in the chest."""


def nodule_views(
    hu: NDArray[np.int16],
    spacing_mm: tuple[float, float, float],
    centre_voxel_zyx: Sequence[float],
    *,
    view_voxels: int = VIEW_VOXELS,
    view_spacings_mm: Sequence[float] = VIEW_SPACINGS_MM,
) -> NDArray[np.int16]:
    """Cuts cubic views with the same centre and different spacings.

    Args:
        hu: ``[z, y, x]`` of a working volume.
        spacing_mm: Distance of its voxels along x, y, z.
        centre_voxel_zyx: Centre of the views, fractional indices of the volume.
        view_voxels: Edge of every view, in voxels of the view.
        view_spacings_mm: Distance of the voxels of each view.

    Returns:
        HU, ``[views, view_voxels, view_voxels, view_voxels]``; air outside the volume.
    """
    steps = np.arange(view_voxels) - (view_voxels - 1) / 2
    views = []
    for view_spacing_mm in view_spacings_mm:
        z, y, x = (
            centre + steps * view_spacing_mm / step
            for centre, step in zip(centre_voxel_zyx, spacing_mm[::-1], strict=True)
        )
        views.append(resample_separable(hu, (z, y, x), threads=1))
    return np.stack(views)
