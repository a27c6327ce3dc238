"""Labels held against the volume that they annotate: what lies outside is no label of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.preprocessing.volume import Volume

FRAME = "positions are in LPS mm (x to the left, y to the back, z to the head)"


def inside(
    centres_world_mm: ArrayLike, volume: Volume, *, margin_voxels: float = 0.5
) -> NDArray[np.bool_]:
    """Whether positions lie in the voxels of a volume.

    Args:
        centres_world_mm: (x, y, z) in LPS mm, shape (n, 3); NaN lies nowhere.
        volume: The volume that is annotated.
        margin_voxels: Distance from the outermost voxel centres that still counts as inside; half
            a voxel is the volume's border.

    Returns:
        One value for each position, shape (n,).
    """
    voxels_xyz = volume.voxel_xyz(np.reshape(centres_world_mm, (-1, 3)))
    last_xyz = np.subtract(volume.shape_zyx[::-1], 1) + margin_voxels
    within = (voxels_xyz >= -margin_voxels) & (voxels_xyz <= last_xyz)
    return np.asarray(within.all(axis=1), np.bool_)


def label_fault(finding: KnownFinding, volume: Volume, *, margin_voxels: float = 0.5) -> str | None:
    """Says why a finding cannot be one of a volume.

    Args:
        finding: Position and size that a data set gives.
        volume: The volume that is annotated.
        margin_voxels: Distance from the outermost voxel centres that still counts, as in `inside`.

    Returns:
        The end of a sentence that begins with the place of the label; None where it fits.
    """
    if not inside(finding.centre_world_mm, volume, margin_voxels=margin_voxels)[0]:
        x, y, z = finding.centre_world_mm
        return f"({x:g}, {y:g}, {z:g}) mm lies outside the series; {FRAME}"
    longest_mm = float(np.max(np.multiply(volume.shape_zyx[::-1], volume.spacing_mm)))
    if not 0 < finding.diameter_mm <= longest_mm:
        return (
            f"a diameter of {finding.diameter_mm:g} mm must be above 0 and not larger than the "
            f"series ({longest_mm:.0f} mm)"
        )
    return None
