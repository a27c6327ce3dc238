"""Size of a nodule: volume, diameter of the sphere of that volume, and axes on axial slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ANGLES = np.deg2rad(np.arange(180))

TIE_MM = 1e-5
"""Widths this close are equal. Rounding must not choose between two slices or directions, because
their short axes may differ."""


@dataclass(frozen=True, slots=True)
class AxialAxes:
    """The axes of a nodule on the slice where it is longest.

    Attributes:
        long_mm: The largest width.
        short_mm: The width at a right angle to it, on the same slice.
        slice_index: The slice, as an index of the array that was measured.
    """

    long_mm: float
    short_mm: float
    slice_index: int

    @property
    def mean_mm(self) -> float:
        """Average of both axes: the size that Lung-RADS v2022 and Fleischner 2017 ask for."""
        return (self.long_mm + self.short_mm) / 2


def volume_mm3(fraction: NDArray[np.float32], spacing_mm: tuple[float, float, float]) -> float:
    """Computes the volume of a nodule, with partial voxels.

    Args:
        fraction: ``[z, y, x]``, fraction of each voxel that is nodule, 0 to 1.
        spacing_mm: Distance of the voxels along x, y, z.

    Returns:
        The volume in mm3.
    """
    return float(fraction.sum(dtype=np.float64) * np.prod(spacing_mm))


def sphere_diameter_mm(volume_mm3: float) -> float:
    """Computes the diameter of the sphere of a volume.

    Args:
        volume_mm3: Volume in mm3, 0 or more.

    Returns:
        The diameter in mm.
    """
    return float((6 * volume_mm3 / np.pi) ** (1 / 3))


def long_axis_by_moments_mm(points_zyx: NDArray[np.intp], spacing_mm: float) -> float:
    """Compute the long axis of the ellipsoid with the second moments of a mask.

    The variance along an axis of an ellipsoid is a fifth of its squared semi-axis; a voxel adds a
    twelfth of its squared edge.

    Args:
        points_zyx: Indices ``[n, 3]`` of the voxels of the mask, at least two.
        spacing_mm: Distance of the voxels, the same along every axis.

    Returns:
        The whole axis in mm.
    """
    variance = np.linalg.eigvalsh(np.cov(points_zyx.T) + np.eye(3) / 12)[-1]
    return float(2 * np.sqrt(5 * variance) * spacing_mm)


def axial_axes(
    fraction: NDArray[np.float32], spacing_mm: tuple[float, float, float]
) -> AxialAxes | None:
    """Measures long and short axis on the slice where the nodule is longest.

    The outline is where the fraction crosses one half, interpolated between voxels. The rule is
    that of MacMahon et al., Radiology 2017;284:228 (long and perpendicular short axis on one
    image), with widths between parallel tangents.

    Args:
        fraction: ``[z, y, x]``, 0 to 1; axial slices are the planes of the first axis.
        spacing_mm: Distance of the voxels along x, y, z.

    Returns:
        The axes; None where no voxel is at least half nodule.
    """
    best: AxialAxes | None = None
    for index in np.flatnonzero((fraction >= 0.5).any(axis=(1, 2))).tolist():
        points = outline_mm(fraction[index], spacing_mm[:2])
        across = points @ np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
        width = across.max(axis=0) - across.min(axis=0)
        longest = int((width > width.max() - TIE_MM).argmax())
        if best is None or width[longest] > best.long_mm + TIE_MM:
            best = AxialAxes(float(width[longest]), float(width[(longest + 90) % 180]), index)
    return best


def outline_mm(
    plane: NDArray[np.float32], spacing_xy_mm: tuple[float, float]
) -> NDArray[np.float64]:
    """Finds the points where the fraction crosses one half along rows and columns of a slice.

    Args:
        plane: ``[y, x]``, fraction of each pixel that is nodule, 0 to 1.
        spacing_xy_mm: Distance of the pixels along x and y.

    Returns:
        ``[points, 2]``, (x, y) in mm from an origin one pixel before the first.
    """
    padded = np.pad(plane, 1).astype(np.float64)
    points = []
    for axis, (before, after) in enumerate(
        ((padded[:-1], padded[1:]), (padded[:, :-1], padded[:, 1:]))
    ):
        y, x = np.nonzero((before >= 0.5) != (after >= 0.5))
        step = (0.5 - before[y, x]) / (after[y, x] - before[y, x])
        points.append(np.stack([x + step * (axis == 1), y + step * (axis == 0)], axis=1))
    outline: NDArray[np.float64] = np.concatenate(points) * spacing_xy_mm
    return outline
