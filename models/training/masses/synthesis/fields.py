"""Smooth random fields, distances and boxes, of which synthetic chests are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Field = NDArray[np.float32]
    Place = Sequence[float] | NDArray[np.floating]


def resized(field: Field, shape: Sequence[int]) -> Field:
    """Interpolates a field linearly to another shape; the corners stay in place.

    Args:
        field: float32 ``[z, y, x]`` or ``[channel, z, y, x]``.
        shape: Wanted sizes of the last three axes.

    Returns:
        The field with these sizes.
    """
    channels = field if field.ndim == 4 else field[None]
    fine = interpolate(
        torch.from_numpy(np.ascontiguousarray(channels))[None],
        size=tuple(shape),
        mode="trilinear",
        align_corners=True,
    )[0].numpy()
    result: Field = fine if field.ndim == 4 else fine[0]
    return result


def smooth_noise(rng: np.random.Generator, shape: Sequence[int], wavelength: float) -> Field:
    """Generates noise of mean 0 and variance about 1, smooth below a wavelength.

    Args:
        rng: Source of every random choice.
        shape: Shape of the field, ``[z, y, x]``.
        wavelength: Smallest scale of its structure, in voxels.

    Returns:
        float32 ``[z, y, x]``.
    """
    knots = [max(2, int(np.ceil(size / wavelength * 2)) + 1) for size in shape]
    return resized(1.6 * rng.standard_normal(knots, dtype=np.float32), shape)


def offsets(shape: Sequence[int], centre_zyx: Place) -> tuple[Field, Field, Field]:
    """Computes the distance of each voxel from a centre along each axis.

    Args:
        shape: Shape of the array, ``[z, y, x]``.
        centre_zyx: Centre as fractional indices of the array.

    Returns:
        Signed distances along z, y and x in voxels, which broadcast to the shape.
    """
    z, y, x = (np.arange(n, dtype=np.float32) for n in shape)
    z, y, x = (
        axis - np.float32(centre) for axis, centre in zip((z, y, x), centre_zyx, strict=True)
    )
    return z[:, None, None], y[None, :, None], x[None, None, :]


def box_around(
    centre_zyx: Place, radius: float, shape: Sequence[int]
) -> tuple[slice, slice, slice]:
    """Finds the part of an array around a centre.

    Args:
        centre_zyx: Centre as fractional indices of the array.
        radius: Half the edge of the box, in voxels.
        shape: Shape of the array, ``[z, y, x]``.

    Returns:
        Slices (z, y, x), clipped to the array and never empty.
    """
    first = [
        int(np.clip(np.floor(c - radius), 0, n - 1)) for c, n in zip(centre_zyx, shape, strict=True)
    ]
    last = [
        int(np.clip(np.ceil(c + radius) + 1, 1, n)) for c, n in zip(centre_zyx, shape, strict=True)
    ]
    z, y, x = (slice(a, b) for a, b in zip(first, last, strict=True))
    return z, y, x


def kept_off_faces(depth: Field, box: tuple[slice, slice, slice], shape: Sequence[int]) -> Field:
    """Ends a shape before the faces of its box, so that no face cuts it flat.

    Args:
        depth: Depth below the surface of the shape at each voxel of the box, in voxels.
        box: Position of the box in the chest, slices (z, y, x).
        shape: Shape of the chest; a shape may be cut where the chest itself ends.

    Returns:
        The limited depth, of the same shape.
    """
    limit = np.full(depth.shape, np.inf, np.float32)
    for axis, (part, size) in enumerate(zip(box, shape, strict=True)):
        place = np.arange(part.stop - part.start, dtype=np.float32)
        low = place if part.start > 0 else np.full_like(place, np.inf)
        high = place[::-1] if part.stop < size else np.full_like(place, np.inf)
        along = [1, 1, 1]
        along[axis] = -1
        limit = np.minimum(limit, (np.minimum(low, high) - 1).reshape(along))
    result: Field = np.minimum(depth, limit)
    return result


def random_rotation(rng: np.random.Generator) -> NDArray[np.float32]:
    """Draws a rotation, or rotation with reflection, uniformly.

    Args:
        rng: Source of every random choice.

    Returns:
        An orthogonal matrix, 3 x 3.
    """
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return np.asarray(q * np.sign(np.diag(r)), dtype=np.float32)


def tubes(
    rng: np.random.Generator, shape: Sequence[int], wavelength: float, width: float
) -> NDArray[np.bool_]:
    """Generates thin curved tubes: the lines where two random surfaces cross.

    Args:
        rng: Source of every random choice.
        shape: Shape of the field, ``[z, y, x]``.
        wavelength: Distance between tubes, in voxels.
        width: Width of a tube as a fraction of the wavelength.

    Returns:
        bool ``[z, y, x]``, true inside a tube.
    """
    first, second = (smooth_noise(rng, shape, wavelength) for _ in range(2))
    inside: NDArray[np.bool_] = np.hypot(first, second) < 3 * width
    return inside
