"""`Grid`: the fine samples of a scan, and a coarse grid on which smooth fields are kept.

Organs are smooth, so their signed distances (mm, negative inside) are computed on a coarse grid
and interpolated slice by slice; the error, spacing^2 / (8 radius of curvature), is below 0.1 mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from hounsfield.data.phantom.person import Person
    from hounsfield.data.phantom.settings import PhantomSettings

COARSE_MM = 3.0


@dataclass(frozen=True)
class Grid:
    """Positions of the fine and coarse samples. The scan frame is mm from the middle of image 1.

    Attributes:
        shape_zyx: Shape of the fine grid; there are `oversampling` fine slices per finished slice.
        spacing_zyx_mm: Sample distances of the fine grid.
        first_zyx_mm: Scan frame position of fine voxel (0, 0, 0).
        oversampling: Fine slices per finished slice, an odd number.
        padding: Fine slices before the first and after the last finished slice.
        roll_rad: Rotation of the person about z.
        centre_xy_mm: Scan frame position of the chest frame's origin.
        bottom_mm: Scan frame z of the chest frame's origin.
    """

    shape_zyx: tuple[int, int, int]
    spacing_zyx_mm: tuple[float, float, float]
    first_zyx_mm: tuple[float, float, float]
    oversampling: int
    padding: int
    roll_rad: float
    centre_xy_mm: tuple[float, float]
    bottom_mm: float

    @property
    def blur_mm(self) -> float:
        """Width over which an edge is spread: the voxel's edge length, geometric mean."""
        return float(np.prod(self.spacing_zyx_mm) ** (1 / 3))

    def axis_mm(self, axis: int) -> NDArray[np.float32]:
        """Scan frame positions of the fine samples along z (0), y (1) or x (2)."""
        count, step, first = (
            v[axis] for v in (self.shape_zyx, self.spacing_zyx_mm, self.first_zyx_mm)
        )
        return (first + step * np.arange(count)).astype(np.float32)

    @cached_property
    def coarse_axes_mm(self) -> tuple[NDArray[np.float32], ...]:
        """Scan frame positions of the coarse samples along z, y, x; one sample beyond the ends."""
        axes = []
        for axis in range(3):
            fine = self.axis_mm(axis)
            count = int(np.ceil((fine[-1] - fine[0]) / COARSE_MM)) + 3
            axes.append((fine[0] + COARSE_MM * (np.arange(count) - 1)).astype(np.float32))
        return tuple(axes)

    @cached_property
    def coarse_shape_zyx(self) -> tuple[int, int, int]:
        """Number of coarse samples."""
        z, y, x = (len(axis) for axis in self.coarse_axes_mm)
        return (z, y, x)

    def chest_xy(
        self, y_mm: NDArray[np.float32], x_mm: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Turns scan frame (y, x) into chest frame (x, y).

        Args:
            y_mm: Scan frame y; any shape that broadcasts with `x_mm`.
            x_mm: Scan frame x; any shape that broadcasts with `y_mm`.

        Returns:
            Chest frame x and y in mm.
        """
        cos, sin = np.float32(np.cos(self.roll_rad)), np.float32(np.sin(self.roll_rad))
        x0, y0 = (np.float32(v) for v in self.centre_xy_mm)
        return (x_mm - x0) * cos + (y_mm - y0) * sin, (y_mm - y0) * cos - (x_mm - x0) * sin

    def voxel_zyx(self, chest_xyz: NDArray[np.floating]) -> NDArray[np.float64]:
        """Turns chest frame (x, y, z), shape (n, 3), into fine voxel (z, y, x), shape (n, 3)."""
        cos, sin = np.cos(self.roll_rad), np.sin(self.roll_rad)
        x, y, z = np.asarray(chest_xyz, dtype=np.float64).T
        scan = np.stack(
            [
                z + self.bottom_mm,
                x * sin + y * cos + self.centre_xy_mm[1],
                x * cos - y * sin + self.centre_xy_mm[0],
            ],
            axis=-1,
        )
        voxel: NDArray[np.float64] = (scan - self.first_zyx_mm) / self.spacing_zyx_mm
        return voxel

    @cached_property
    def coarse_chest(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Chest frame x (y, x), y (y, x) and z (z, 1, 1) of the coarse samples."""
        z, y, x = self.coarse_axes_mm
        chest_x, chest_y = self.chest_xy(y[:, None], x[None, :])
        return chest_x, chest_y, (z - np.float32(self.bottom_mm))[:, None, None]

    @cached_property
    def fine_chest_xy(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Chest frame x and y of a fine slice, shape (rows, columns)."""
        return self.chest_xy(self.axis_mm(1)[:, None], self.axis_mm(2)[None, :])

    def coarse_points(self, where: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Chest frame (x, y, z), shape (n, 3), of the coarse samples where the mask is true."""
        z, y, x = np.nonzero(where)
        chest_x, chest_y, chest_z = self.coarse_chest
        return np.stack([chest_x[y, x], chest_y[y, x], chest_z[z, 0, 0]], axis=-1)

    @cached_property
    def _weights(self) -> tuple[csr_array, csr_array]:
        """Matrices of linear interpolation from coarse to fine rows, and coarse to fine columns."""
        # Sparse ones: BLAS would use every core, and its threads fight where cores are shared.
        from scipy.sparse import csr_array

        matrices = []
        for axis in (1, 2):
            fine, coarse = self.axis_mm(axis), self.coarse_axes_mm[axis]
            place = (fine - coarse[0]) / COARSE_MM
            low = np.floor(place).astype(int)
            matrix = np.zeros((len(fine), len(coarse)), np.float32)
            matrix[np.arange(len(fine)), low] = 1 - (place - low)
            matrix[np.arange(len(fine)), low + 1] = place - low
            matrices.append(csr_array(matrix))
        return matrices[0], matrices[1]

    def coarse_plane(self, field: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Interpolates a field along z to a fine slice; the plane stays coarse.

        Args:
            field: Any field on the coarse grid, ``[z, y, x]``.
            index: Number of the fine slice, from 0.

        Returns:
            The field at that slice, on the coarse rows and columns.
        """
        place = (self.axis_mm(0)[index] - self.coarse_axes_mm[0][0]) / COARSE_MM
        low = int(place)
        fraction = np.float32(place - low)
        plane: NDArray[np.float32] = field[low] * (1 - fraction) + field[low + 1] * fraction
        return plane

    def refine(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Interpolates a coarse plane to the fine rows and columns."""
        rows, columns = self._weights
        wide = np.ascontiguousarray((columns @ plane.T).T)
        fine: NDArray[np.float32] = rows @ wide
        return fine

    def fine_plane(self, field: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Interpolates a field to a fine slice at full resolution.

        Args:
            field: Any field on the coarse grid, ``[z, y, x]``.
            index: Number of the fine slice, from 0.

        Returns:
            The field at that slice, on the fine rows and columns.
        """
        return self.refine(self.coarse_plane(field, index))


def make_grid(settings: PhantomSettings, person: Person) -> Grid:
    """Lays out the fine grid, with an odd number of slices of about 1.2 mm per finished slice.

    Args:
        settings: Shape, spacing and slice thickness of the finished scan.
        person: Supplies rotation and position in the scan frame.

    Returns:
        The grid, padded along z so that every finished slice has its whole profile.
    """
    slices, rows, columns = settings.shape_zyx
    x_mm, y_mm, z_mm = settings.spacing_mm
    oversampling = 2 * int(np.round((z_mm / 1.1 - 1) / 2)) + 1 if z_mm > 1.8 else 1
    step = z_mm / oversampling
    thickness = settings.slice_thickness_mm or z_mm
    padding = int(np.ceil(max(0.0, thickness / step - 1) / 2 + 1e-6))
    padding = max(padding, oversampling // 2)
    return Grid(
        shape_zyx=((slices - 1) * oversampling + 1 + 2 * padding, rows, columns),
        spacing_zyx_mm=(step, y_mm, x_mm),
        first_zyx_mm=(-padding * step, -(rows - 1) / 2 * y_mm, -(columns - 1) / 2 * x_mm),
        oversampling=oversampling,
        padding=padding,
        roll_rad=person.roll_rad,
        centre_xy_mm=person.centre_xy_mm,
        bottom_mm=person.bottom_margin_mm,
    )
