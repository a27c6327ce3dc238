"""Target maps of `CentreNet` for the nodules in a crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.networks.centre_heatmap import REFERENCE_DIAMETER_MM, STRIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.training.augmentation.crop import CropNodule

SIGMA_RANGE_MM = (2.0, 8.0)
"""Standard deviation of a nodule's peak on the heat-map: a quarter of its diameter within these
limits."""

MIN_SIZED_HEAT = 0.6
"""Cells of the peak from this height up learn offset and size too, so that both are right also when
they are read one cell beside the centre."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionTarget:
    """Target maps, one cell for each `STRIDE` voxels along an axis; all float32.

    Attributes:
        heat: ``[z, y, x]``, exactly 1 at the cell that holds a centre.
        regression: ``[4, z, y, x]``: offset (z, y, x) in cells and log size.
        sized: ``[z, y, x]``: 1 at the cells where `regression` is known.
        weight: ``[z, y, x]``, 0 at cells to ignore.
    """

    heat: NDArray[np.float32]
    regression: NDArray[np.float32]
    sized: NDArray[np.float32]
    weight: NDArray[np.float32]


def detection_target(nodules: Sequence[CropNodule], size: int) -> DetectionTarget:
    """Renders the target maps of a cubic crop.

    Args:
        nodules: Nodules and spheres to ignore, in voxels of the crop.
        size: Edge of the crop in voxels, a multiple of `STRIDE`.

    Returns:
        The maps, with ``size / STRIDE`` cells along each axis.
    """
    cells = size // STRIDE
    heat = np.zeros((cells,) * 3, np.float32)
    regression = np.zeros((4, *heat.shape), np.float32)
    sized = np.zeros_like(heat)
    weight = np.ones_like(heat)
    grid = np.indices(heat.shape, dtype=np.float32)
    for nodule in nodules:
        centre = cell_of(nodule.centre_zyx)
        if nodule.ignored:
            distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)))
            weight[distance * STRIDE < nodule.diameter_mm / 2] = 0
            continue
        peak = np.rint(centre).astype(int)
        if np.any(peak < 0) or np.any(peak >= cells):
            continue
        sigma = np.clip(nodule.diameter_mm / 4, *SIGMA_RANGE_MM) / STRIDE
        squared = sum((axis - p) ** 2 for axis, p in zip(grid, peak, strict=True))
        peak_heat = np.exp(-squared / (2 * sigma**2))
        near = (peak_heat >= MIN_SIZED_HEAT) & (peak_heat > heat)
        np.maximum(heat, peak_heat, out=heat)
        for axis in range(3):
            regression[axis][near] = centre[axis] - grid[axis][near]
        regression[3][near] = np.log(nodule.diameter_mm / REFERENCE_DIAMETER_MM)
        sized[near] = 1
        weight[*peak] = 1
    return DetectionTarget(heat, regression, sized, weight)


def cell_of(centre_zyx: Sequence[float]) -> NDArray[np.float64]:
    """Returns the fractional output cell of an input voxel: cell 0 is centred on voxel 1.5.

    Args:
        centre_zyx: Fractional voxel (z, y, x) of the crop.
    """
    return (np.asarray(centre_zyx, dtype=np.float64) + 0.5) / STRIDE - 0.5
