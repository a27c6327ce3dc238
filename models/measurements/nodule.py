"""`measure`: everything that is measured on one segmented nodule."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.measurements.density import largest_solid_piece, mean_and_sd_hu
from hounsfield.models.measurements.kinds import Margin, Texture
from hounsfield.models.measurements.margin import margin_of, solidity
from hounsfield.models.measurements.pleura import pleura_distance_mm
from hounsfield.models.measurements.size import axial_axes, sphere_diameter_mm, volume_mm3

if TYPE_CHECKING:
    from hounsfield.models.inference.outlines import SegmentedNodule
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


@dataclass(frozen=True, slots=True)
class NoduleMeasurements:
    """What was measured; lengths are not rounded.

    Attributes:
        volume_mm3: Of the nodule, parts of voxels counted.
        sphere_diameter_mm: Of the sphere of that volume.
        long_axis_mm: On the slice where the nodule is longest.
        short_axis_mm: At a right angle to it.
        mean_diameter_mm: Average of both axes.
        mean_hu: Over the voxels that are at least half nodule.
        sd_hu: The same.
        solid_fraction: Of the voxels inside the rim of what readers would outline, those above -300
            HU.
        solid_part_mm: Average of both axes of the solid part of a part-solid nodule, 0 where it
            is too small to measure; None for other textures.
        calcification_fraction: Of the voxels that readers would outline, those above 200 HU.
        texture: Read off the two shares.
        solidity: Area over that of the convex hulls of the axial outlines.
        margin: Read off the solidity.
        pleura_distance_mm: To the surface of the lung, at most 20; None where the lungs are not
            known.
    """

    volume_mm3: float
    sphere_diameter_mm: float
    long_axis_mm: float
    short_axis_mm: float
    mean_diameter_mm: float
    mean_hu: float
    sd_hu: float
    solid_fraction: float
    solid_part_mm: float | None
    calcification_fraction: float
    texture: Texture
    solidity: float
    margin: Margin
    pleura_distance_mm: float | None

    def as_mapping(self) -> dict[str, float | str]:
        """By name, without what was not measured, as `Finding.measurements` takes it."""
        return {
            name: str(value) if isinstance(value, str) else value
            for name, value in asdict(self).items()
            if value is not None
        }


def measure(
    nodule: SegmentedNodule, volume: Volume, working: WorkingVolume | None = None
) -> NoduleMeasurements | None:
    """Measures a nodule on the native grid; its slices are the planes of the first axis.

    Args:
        nodule: As it was outlined.
        volume: The series it was outlined in.
        working: The same series with its lung labels.

    Returns:
        The measurements; None where no voxel is at least half nodule.
    """
    segmentation, spacing_mm = nodule.boundary, volume.spacing_mm
    if segmentation is None or nodule.density is None:
        return None
    share, mask = segmentation.fraction, segmentation.mask
    axes = axial_axes(share, spacing_mm)
    if axes is None:
        return None
    volume_of_it = volume_mm3(share, spacing_mm)
    hu = volume.hu[segmentation.box]
    mean_hu, sd_hu = mean_and_sd_hu(hu, mask)
    density, solid_part_mm = nodule.density, None
    if density.texture is Texture.PART_SOLID:
        piece = largest_solid_piece(hu, mask)
        solid = axial_axes(piece.astype(np.float32), spacing_mm)
        solid_part_mm = solid.mean_mm if solid else 0.0
    convex = solidity(share, spacing_mm)
    return NoduleMeasurements(
        volume_mm3=volume_of_it,
        sphere_diameter_mm=sphere_diameter_mm(volume_of_it),
        long_axis_mm=axes.long_mm,
        short_axis_mm=axes.short_mm,
        mean_diameter_mm=axes.mean_mm,
        mean_hu=mean_hu,
        sd_hu=sd_hu,
        solid_fraction=density.solid_fraction,
        solid_part_mm=solid_part_mm,
        calcification_fraction=density.calcification_fraction,
        texture=density.texture,
        solidity=convex,
        margin=margin_of(convex),
        pleura_distance_mm=(pleura_distance_mm(segmentation, volume, working) if working else None),
    )
