"""Paints many thin tubes into a fine volume with partial volume, without a loop over tubes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CHUNK = 3_000_000
"""Samples evaluated at once; bounds the memory."""


def paint_tubes(
    hu: NDArray[np.float32],
    spacing_zyx_mm: ArrayLike,
    starts_zyx: NDArray[np.floating],
    ends_zyx: NDArray[np.floating],
    radii_mm: NDArray[np.floating],
    *,
    value_hu: ArrayLike,
    background_hu: float,
    keep: Literal["brighter", "darker"] = "brighter",
    blur_mm: float | None = None,
) -> None:
    """Paints straight pieces of tube; a voxel only ever gets brighter (or only ever darker).

    Args:
        hu: HU on the fine grid, ``[z, y, x]``, C order; changed in place.
        spacing_zyx_mm: Distances of the voxel centres.
        starts_zyx: Voxel positions of the pieces' starts, shape (n, 3); pieces should be short.
        ends_zyx: Voxel positions of the pieces' ends, shape (n, 3).
        radii_mm: Shape (n,). A tube thinner than a voxel is painted as wide as one, but fainter.
        value_hu: HU of a voxel inside the tube, one for all or shape (n,).
        background_hu: HU assumed for the rest of a partly filled voxel.
        keep: Whether the brighter or the darker of the old and new HU stays.
        blur_mm: Width of the edge; None takes the geometric mean of the voxel's edges.
    """
    spacing = np.asarray(spacing_zyx_mm, dtype=np.float32)
    blur = np.float32(blur_mm if blur_mm is not None else float(np.prod(spacing) ** (1 / 3)))
    starts = np.asarray(starts_zyx, dtype=np.float32)
    ends = np.asarray(ends_zyx, dtype=np.float32)
    radii = np.asarray(radii_mm, dtype=np.float32)
    values = np.broadcast_to(np.asarray(value_hu, dtype=np.float32), radii.shape)
    middle = np.rint((starts + ends) / 2)
    reach_mm = np.maximum(radii, blur / 2) + blur / 2
    half = np.ceil((np.abs(ends - starts) / 2 + reach_mm[:, None] / spacing) + 0.5).astype(np.int64)
    half = np.minimum(half, 60)
    inside = np.all((middle + half >= 0) & (middle - half < hu.shape), axis=1)
    order = np.flatnonzero(inside)
    keys = half[order] @ np.array([10_000, 100, 1])
    for key in np.unique(keys):
        of_key = order[keys == key]
        box = half[of_key[0]]
        offsets = np.stack(
            np.meshgrid(*(np.arange(-h, h + 1) for h in box), indexing="ij"), axis=-1
        ).reshape(-1, 3)
        size = max(1, CHUNK // len(offsets))
        for first in range(0, len(of_key), size):
            pieces = of_key[first : first + size]
            _paint(
                hu, spacing, starts[pieces], ends[pieces], radii[pieces], values[pieces],
                middle[pieces], offsets, background_hu, keep, blur,
            )  # fmt: skip


def _paint(
    hu: NDArray[np.float32],
    spacing: NDArray[np.float32],
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    radii: NDArray[np.float32],
    values: NDArray[np.float32],
    middle: NDArray[np.float32],
    offsets: NDArray[np.int64],
    background_hu: float,
    keep: str,
    blur: np.float32,
) -> None:
    """Paints pieces whose bounding boxes have the same size."""
    start = (starts - middle) * spacing
    along = (ends - starts) * spacing
    place = offsets.astype(np.float32) * spacing
    # |place - start - t along|^2, expanded so that only (pieces, samples) arrays are made.
    length2 = np.maximum((along * along).sum(1), 1e-6)
    dot = along @ place.T - (along * start).sum(1)[:, None]
    t = np.clip(dot / length2[:, None], 0, 1)
    distance2 = (
        (place * place).sum(1)[None, :] - 2 * (start @ place.T) + (start * start).sum(1)[:, None]
    )
    distance2 += t * (t * length2[:, None] - 2 * dot)
    distance = np.sqrt(np.maximum(distance2, 0))
    wide = np.maximum(radii, blur / 2)
    fraction = np.clip(0.5 + (wide[:, None] - distance) / blur, 0, 1)
    fraction *= np.minimum(1, (radii / wide) ** 2)[:, None]
    piece, sample = np.nonzero(fraction > 0.01)
    voxel = middle[piece].astype(np.int64) + offsets[sample]
    valid = np.all((voxel >= 0) & (voxel < hu.shape), axis=1)
    piece, sample, voxel = piece[valid], sample[valid], voxel[valid]
    flat = np.ravel_multi_index(tuple(voxel.T), hu.shape)
    painted = background_hu + fraction[piece, sample] * (values[piece] - background_hu)
    operation = np.maximum if keep == "brighter" else np.minimum
    operation.at(hu.reshape(-1), flat, painted.astype(np.float32))
