"""Separable linear resampling of HU: a sparse matrix for each axis."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.hu_rounding import AIR_HU
from hounsfield.preprocessing.parallel import usable_threads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

SMOOTHING_PER_STEP = 2 / 3
"""Half-width of the interpolating triangle, in target steps, when a grid is made coarser.

Up to a step of 1.5 source voxels this is plain linear interpolation (half-width 1 voxel), the
same as ITK's. Beyond, plain interpolation uses two voxels and ignores the others, so the noise and
fine texture of a 0.35 mm reconstruction would alias into the 1 mm grid. Measured from
0.35 to 1 mm with white noise of 50 HU and a 4 mm nodule: plain 34 HU of noise, this 17, the
full step 12; largest error at the nodule's edge 28, 69 and 124 HU; its peak is kept by all.
"""


def resample_separable(
    hu: NDArray[np.int16],
    positions_zyx: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    threads: int | None = None,
) -> NDArray[np.int16]:
    """Samples a volume on a grid whose axes run along the volume's own.

    The positions of an axis need not be even: slices at uneven true positions are resampled to
    even ones with ``numpy.interp(wanted_mm, true_mm, numpy.arange(len(true_mm)))``.

    Args:
        hu: ``[z, y, x]`` with any strides: a flipped or transposed view is fine.
        positions_zyx: For each axis the fractional source index of each target voxel, never
            decreasing. A position more than half a voxel outside the volume becomes `AIR_HU`;
            within that half voxel the edge voxel's value holds, as in ITK.
        threads: Largest number of threads; by default `usable_threads`. The result does not
            depend on it.

    Returns:
        HU rounded to the nearest integer, one voxel for each combination of positions, C order.

    Raises:
        ValueError: The positions of an axis decrease, or are not one-dimensional.
    """
    axes = [np.asarray(positions, dtype=np.float64) for positions in positions_zyx]
    for name, positions in zip("zyx", axes, strict=True):
        if positions.ndim != 1 or (np.diff(positions) < 0).any():
            msg = f"positions of axis {name} must be 1D and not decrease, got {positions}"
            raise ValueError(msg)
    windows = [_window(positions, size) for positions, size in zip(axes, hu.shape, strict=True)]
    cropped = hu[tuple(windows)]
    matrices = [
        interpolation_matrix(positions - window.start, size)
        for positions, window, size in zip(axes, windows, cropped.shape, strict=True)
    ]
    z, y, x = (len(positions) for positions in axes)
    target = np.empty((z, y, x), dtype=np.int16)
    workers = max(1, min(threads or usable_threads(), z))
    bounds = np.linspace(0, z, workers + 1).astype(int)
    parts = [(int(start), int(stop)) for start, stop in pairwise(bounds)]
    if workers == 1:  # starting a thread takes longer than a small view does
        _fill(target, cropped, matrices, *parts[0])
    else:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(lambda part: _fill(target, cropped, matrices, *part), parts):
                pass
    for axis, (positions, size) in enumerate(zip(axes, hu.shape, strict=True)):
        outside = (positions < -0.5) | (positions > size - 0.5)
        if outside.any():
            np.moveaxis(target, axis, 0)[outside] = AIR_HU
    return target


def interpolation_matrix(positions: NDArray[np.float64], size: int) -> csr_array:
    """Returns the float32 matrix that resamples an axis, one row for each target position.

    Each row holds the weights of a triangle, which sum to one: linear interpolation, widened
    where neighbouring positions are more than 1.5 voxels apart (`SMOOTHING_PER_STEP`).

    Args:
        positions: Fractional source indices, in order; outside the axis the edge voxel counts.
        size: Number of source voxels along the axis.
    """
    from scipy.sparse import csr_array

    step = np.abs(np.gradient(positions)) if len(positions) > 1 else np.ones(1)
    centre = np.clip(positions, 0, size - 1)
    # Near the ends the triangle shrinks, so that it stays symmetric about its centre.
    room = 1 + np.minimum(centre, size - 1 - centre)
    half_width = np.maximum(1.0, np.minimum(SMOOTHING_PER_STEP * step, room))[:, None]
    reach = int(np.ceil(half_width.max()))
    index = np.floor(centre[:, None]) + np.arange(1 - reach, reach + 1)
    offset = index - centre[:, None]
    weight = np.maximum(0.0, 1 - np.abs(offset) / half_width)
    weight[(index < 0) | (index > size - 1)] = 0
    weight /= weight.sum(axis=1, keepdims=True)
    # A triangle of fractional width is slightly skewed; a linear field must come out exactly.
    skew = (weight * offset).sum(axis=1, keepdims=True)
    spread = (weight * offset**2).sum(axis=1, keepdims=True)
    weight *= 1 - offset * np.divide(skew, spread, out=np.zeros_like(skew), where=spread > 1e-9)
    weight /= weight.sum(axis=1, keepdims=True)
    keep = np.abs(weight) > 1e-9
    row_ends = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
    data = weight[keep].astype(np.float32)
    columns = index[keep].astype(np.int32)
    return csr_array((data, columns, row_ends), shape=(len(positions), size))


def _window(positions: NDArray[np.float64], size: int) -> slice:
    """The source voxels of an axis that the positions can touch."""
    step = float(np.diff(positions).max()) if len(positions) > 1 else 1.0
    reach = int(np.ceil(max(1.0, SMOOTHING_PER_STEP * step)))
    start = int(np.clip(np.floor(positions.min()) - reach, 0, size - 1))
    stop = int(np.clip(np.floor(positions.max()) + reach + 1, start + 1, size))
    return slice(start, stop)


def _fill(
    target: NDArray[np.int16],
    hu: NDArray[np.int16],
    matrices: list[csr_array],
    start: int,
    stop: int,
) -> None:
    """Computes the target's slices from `start` to `stop`.

    A source slice is resampled to the target's rows and columns once, when the first target
    slice needs it, and dropped after the last: no float copy of the volume is ever made.
    numpy and scipy.sparse release the interpreter's lock in the loops below.
    """
    matrix_z, matrix_y, matrix_x = matrices
    planes: dict[int, NDArray[np.float32]] = {}
    for index in range(start, stop):
        row = slice(matrix_z.indptr[index], matrix_z.indptr[index + 1])
        needed = matrix_z.indices[row].tolist()
        for unused in [source for source in planes if source < needed[0]]:
            del planes[unused]
        blend: NDArray[np.float32] | None = None
        for source, weight in zip(needed, matrix_z.data[row], strict=True):
            if source not in planes:
                rows = matrix_y @ hu[source].astype(np.float32, order="C")
                planes[source] = matrix_x @ np.ascontiguousarray(rows.T)
            part = planes[source] * weight
            blend = part if blend is None else np.add(blend, part, out=blend)
        assert blend is not None
        target[index] = np.rint(blend, out=blend).T
