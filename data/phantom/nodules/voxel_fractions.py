"""The fraction of each voxel of a box that lies inside a nodule's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import coverage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.nodules.shape import NoduleShape


@dataclass(frozen=True)
class Placed:
    """A box of voxels, and the nodule's centre in it.

    Attributes:
        centre_zyx: Fractional voxel indices in the box.
        spacing_zyx_mm: Distances of the voxel centres.
        size_zyx: Number of voxels of the box along each axis.
        psf_sigma_zyx_mm: Standard deviation of the image's blur, a Gaussian.
    """

    centre_zyx: NDArray[np.float64]
    spacing_zyx_mm: NDArray[np.float64]
    size_zyx: tuple[int, ...]
    psf_sigma_zyx_mm: NDArray[np.float64]

    def sharp(self, shape: NoduleShape, edge_mm: float = 0.0) -> NDArray[np.float32]:
        """Computes the fraction of each voxel inside a shape; coarse voxels are subsampled.

        Args:
            shape: Its centre of mass lies at `centre_zyx`.
            edge_mm: Width of a soft edge; a sharp one is as wide as a subsample.

        Returns:
            Fractions, 0 to 1, shape `size_zyx`.
        """
        fine = max(0.35, 0.16 * shape.scale_mm)
        parts = np.clip(np.ceil(self.spacing_zyx_mm / fine), 1, 12).astype(int)
        step = self.spacing_zyx_mm / parts
        axes = [
            ((np.arange(n * p) + 0.5) / p - 0.5 - c) * s
            for n, p, c, s in zip(
                self.size_zyx, parts, self.centre_zyx, self.spacing_zyx_mm, strict=True
            )
        ]
        blur = max(float(np.prod(step) ** (1 / 3)), edge_mm)
        return _mean_of_parts(_inside(shape, axes, blur), parts)

    def blurred(self, fraction: NDArray[np.float32]) -> NDArray[np.float32]:
        """Blurs fractions with the point spread function of the image."""
        from scipy.ndimage import gaussian_filter

        if not self.psf_sigma_zyx_mm.any():
            return fraction
        blurred: NDArray[np.float32]
        blurred = gaussian_filter(fraction, self.psf_sigma_zyx_mm / self.spacing_zyx_mm)
        return blurred

    def fraction(self, shape: NoduleShape) -> NDArray[np.float32]:
        """Gives the blurred fraction of each voxel inside a shape."""
        return self.blurred(self.sharp(shape))


def _inside(
    shape: NoduleShape, axes_zyx_mm: list[NDArray[np.float64]], blur_mm: float
) -> NDArray[np.float32]:
    """Fraction of each sample inside a shape; the exact distance only near the surface."""
    x_mm, y_mm, z_mm = shape.shift_mm.tolist()
    near = [
        np.flatnonzero(np.abs(axis - middle) <= shape.radius_range_mm[1] + blur_mm)
        for axis, middle in zip(axes_zyx_mm, (z_mm, y_mm, x_mm), strict=True)
    ]
    fraction = np.zeros([len(axis) for axis in axes_zyx_mm], np.float32)
    if not all(len(n) for n in near):
        return fraction
    z, y, x = (axis[n].astype(np.float32) for axis, n in zip(axes_zyx_mm, near, strict=True))
    squared = (z - z_mm)[:, None, None] ** 2 + (y - y_mm)[:, None] ** 2 + (x - x_mm) ** 2
    min_mm, max_mm = shape.radius_range_mm
    part = (squared < max(min_mm - blur_mm, 0.0) ** 2).astype(np.float32)
    shell = np.nonzero((part == 0) & (squared < (max_mm + blur_mm) ** 2))
    offset = np.stack([x[shell[2]], y[shell[1]], z[shell[0]]], axis=-1)
    part[shell] = coverage(shape.distance_mm(offset), blur_mm)
    fraction[tuple(slice(n[0], n[-1] + 1) for n in near)] = part
    return fraction


def _mean_of_parts(fine: NDArray[np.float32], parts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Averages over blocks of subsamples, `parts` along each axis."""
    if np.all(parts == 1):
        return fine
    z, y, x = (n // p for n, p in zip(fine.shape, parts.tolist(), strict=True))
    split = fine.reshape(z, parts[0], y, parts[1], x, parts[2])
    mean: NDArray[np.float32] = split.mean((1, 3, 5))
    return mean
