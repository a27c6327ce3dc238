"""The heat-map that `CentreNet` returns: its layout, and how candidates are read off it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIDE = 4
"""Voxels of the input per cell of the output, along each axis."""

SIZE_DIVISOR = 16
"""Input sizes must be divisible by this."""

REFERENCE_DIAMETER_MM = 8.0
"""The size channel holds log(diameter / this)."""

HEAT, OFFSET, LOG_DIAMETER = 0, slice(1, 4), 4
"""Channels: heat-map logit, offset of the centre in cells (z, y, x), size."""

OUTPUT_CHANNELS = 5

MAX_OFFSET_CELLS = 2.0
"""Larger offsets are outside the range of the training targets and are clipped."""


def find_peaks(
    output: NDArray[np.float32], search_mask: NDArray[np.bool_], *, min_logit: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Finds the cells whose heat is the maximum of their 3 x 3 x 3 neighbourhood.

    Args:
        output: Output of the network for one image, ``[5, z, y, x]``.
        search_mask: ``[z, y, x]`` on the grid of the image; peaks outside it are dropped.
        min_logit: Cells with this logit or a lower one are no peaks.

    Returns:
        The cells as indices ``[peaks, 3]`` (z, y, x) of the output, best first, and their logits.
    """
    heat = output[HEAT]
    peak = (ndimage.maximum_filter(heat, size=3) == heat) & (heat > min_logit)
    cells = np.argwhere(peak)
    voxels = np.minimum(cells * STRIDE + STRIDE // 2, np.subtract(search_mask.shape, 1))
    cells = cells[search_mask[tuple(voxels.T)]]
    logits = heat[tuple(cells.T)]
    order = np.argsort(-logits, kind="stable")
    return cells[order], logits[order]


def decode_cells(
    output: NDArray[np.float32],
    cells: NDArray[np.intp],
    *,
    diameter_range_mm: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Reads centres and diameters off the regression channels.

    Args:
        output: Output of the network for one image, ``[5, z, y, x]``.
        cells: Indices ``[n, 3]`` (z, y, x) of the output.
        diameter_range_mm: Smallest and largest diameter; others are clipped.

    Returns:
        Centres ``[n, 3]`` as fractional voxels (z, y, x) of the image, and diameters in mm.
    """
    at = tuple(cells.T)
    offset = np.clip(output[OFFSET][:, *at].T, -MAX_OFFSET_CELLS, MAX_OFFSET_CELLS)
    centres = (cells + offset + 0.5) * STRIDE - 0.5
    diameters = REFERENCE_DIAMETER_MM * np.exp(output[LOG_DIAMETER][at].astype(np.float64))
    return centres.astype(np.float64), np.clip(diameters, *diameter_range_mm)
