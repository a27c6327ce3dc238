"""`measure`: size, density, margin and place of one segmented nodule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.findings import NoduleMeasurements
from hounsfield.models.kinds import Texture
from hounsfield.models.measurements.density import largest_solid_piece, mean_and_sd_hu
from hounsfield.models.measurements.margin import margin_of, solidity
from hounsfield.models.measurements.pleura import pleura_distance_mm
from hounsfield.models.measurements.size import axial_axes, sphere_diameter_mm, volume_mm3

if TYPE_CHECKING:
    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.measurements.density import Density
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedNodule:
    """A segmented nodule; all None where no nodule was found.

    Attributes:
        boundary: Outline at its true edge, from which its size is measured.
        reader_style: Outline as radiologists draw it.
        density: Density inside the reader-style outline, to which the texture's limits refer.
    """

    boundary: Segmentation | None = None
    reader_style: Segmentation | None = None
    density: Density | None = None


def measure(
    nodule: SegmentedNodule, volume: Volume, working: WorkingVolume | None = None
) -> NoduleMeasurements | None:
    """Measure a nodule; the axial slices of its volume are the planes of the first axis.

    Args:
        nodule: Outlines and density of the nodule.
        volume: The series in HU in which the nodule was segmented, upright.
        working: Working volume of that series, whose lung labels give the distance to the pleura;
            None leaves it out.

    Returns:
        The measurements; None where no voxel is at least half nodule.
    """
    segmentation, spacing_mm = nodule.boundary, volume.spacing_mm
    if segmentation is None or nodule.density is None:
        return None
    fraction, mask = segmentation.fraction, segmentation.mask
    axes = axial_axes(fraction, spacing_mm)
    if axes is None:
        return None
    nodule_volume_mm3 = volume_mm3(fraction, spacing_mm)
    hu = volume.hu[segmentation.box]
    mean_hu, sd_hu = mean_and_sd_hu(hu, mask)
    density, solid_part_mm = nodule.density, None
    if density.texture is Texture.PART_SOLID:
        piece = largest_solid_piece(hu, mask)
        solid = axial_axes(piece.astype(np.float32), spacing_mm)
        solid_part_mm = solid.mean_mm if solid else 0.0
    convex = solidity(fraction, spacing_mm)
    return NoduleMeasurements(
        volume_mm3=nodule_volume_mm3,
        sphere_diameter_mm=sphere_diameter_mm(nodule_volume_mm3),
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
