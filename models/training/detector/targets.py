"""Nodules in a crop, as the maps that `CentreNet` should give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.networks.centre_heatmap import REFERENCE_DIAMETER_MM, STRIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIGMA_RANGE_MM = (2.0, 8.0)
"""Width of a nodule's peak on the heat-map: a quarter of its diameter within these limits."""

SIZED_FROM = 0.6
"""Cells of the peak from this height up learn the way to the centre and the size too: what is
read off one cell beside the centre is then right as well."""


@dataclass(frozen=True, slots=True)
class CropNodule:
    """A nodule (or a sphere to ignore) in voxels of a crop at 1 mm."""

    centre_zyx: tuple[float, float, float]
    diameter_mm: float
    ignored: bool = False

    @classmethod
    def at(
        cls, centre_zyx: NDArray[np.float64], diameter_mm: float, *, ignored: bool = False
    ) -> CropNodule:
        """The same from an array."""
        z, y, x = centre_zyx.tolist()
        return cls((z, y, x), diameter_mm, ignored)


@dataclass(frozen=True, slots=True, eq=False)
class DetectionTarget:
    """Maps at `STRIDE`; all float32.

    Attributes:
        heat: ``[z, y, x]``, exactly 1 at the cell that holds a centre.
        regression: ``[4, z, y, x]``: offset (z, y, x) in cells and log size.
        sized: ``[z, y, x]``: 1 at the cells where `regression` counts.
        weight: ``[z, y, x]``, 0 where nothing is known.
    """

    heat: NDArray[np.float32]
    regression: NDArray[np.float32]
    sized: NDArray[np.float32]
    weight: NDArray[np.float32]


def detection_target(nodules: Sequence[CropNodule], size: int) -> DetectionTarget:
    """Draws the maps of a cubic crop of `size` voxels."""
    cells = size // STRIDE
    heat = np.zeros((cells,) * 3, np.float32)
    regression = np.zeros((4, *heat.shape), np.float32)
    sized = np.zeros_like(heat)
    weight = np.ones_like(heat)
    grid = np.indices(heat.shape, dtype=np.float32)
    for nodule in nodules:
        centre = cell_of(nodule.centre_zyx)
        if nodule.ignored:
            off = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(grid, centre, strict=True)))
            weight[off * STRIDE < nodule.diameter_mm / 2] = 0
            continue
        peak = np.rint(centre).astype(int)
        if np.any(peak < 0) or np.any(peak >= cells):
            continue
        sigma = np.clip(nodule.diameter_mm / 4, *SIGMA_RANGE_MM) / STRIDE
        squared = sum((axis - p) ** 2 for axis, p in zip(grid, peak, strict=True))
        mound = np.exp(-squared / (2 * sigma**2))
        around = (mound >= SIZED_FROM) & (mound > heat)
        np.maximum(heat, mound, out=heat)
        for axis in range(3):
            regression[axis][around] = centre[axis] - grid[axis][around]
        regression[3][around] = np.log(nodule.diameter_mm / REFERENCE_DIAMETER_MM)
        sized[around] = 1
        weight[*peak] = 1
    return DetectionTarget(heat, regression, sized, weight)


def cell_of(centre_zyx: Sequence[float]) -> NDArray[np.float64]:
    """The fractional output cell of an input voxel: cell 0 is centred on voxel 1.5."""
    return (np.asarray(centre_zyx, dtype=np.float64) + 0.5) / STRIDE - 0.5
