"""`Visit`: a follow-up scan of the same person in another position and breath, nodules grown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import coverage
from hounsfield.data.phantom.grid import COARSE_MM

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from hounsfield.data.phantom.anatomy.tissue import Anatomy
    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.nodules.painting import Box
    from hounsfield.data.phantom.nodules.spec import NoduleSpec
    from hounsfield.data.phantom.person import Person

AIR_HU = -996.0
_INVERSION_STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A follow-up scan; the first scan of a person has no visit.

    The finished body is moved, not built again, so its vessels stay the same; the nodules are
    painted after that, so that their ground truth stays exact. The density of the lung does not
    change with the breath.

    Attributes:
        days: Days after the first scan.
        breath_mm: How much lower the back of the diaphragm is; negative is a shallower breath.
        shift_mm: Displacement of the person since the first scan, (x, y, z) in LPS.
        turn_rad: Rotation about z since the first scan.
        volume_ratio: Volume of each nodule over its volume at the first scan; 0 leaves it out. A
            nodule that only the follow-up has is left out of the first.
    """

    days: int = 0
    breath_mm: float = 0.0
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn_rad: float = 0.0
    volume_ratio: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not -40 <= self.breath_mm <= 40:
            msg = f"breath_mm must be from -40 to 40, got {self.breath_mm}"
            raise ValueError(msg)
        if min(self.volume_ratio, default=1.0) < 0:
            msg = f"volume_ratio must be 0 or more, got {self.volume_ratio}"
            raise ValueError(msg)

    def grown(self, specs: list[NoduleSpec]) -> list[NoduleSpec | None]:
        """Gives the nodules as they are at this visit; None for those that are absent."""
        ratios = self.volume_ratio or (1.0,) * len(specs)
        return [
            replace(spec, diameter_mm=spec.diameter_mm * ratio ** (1 / 3)) if ratio else None
            for spec, ratio in zip(specs, ratios, strict=True)
        ]


@dataclass(frozen=True)
class Motion:
    """Maps positions of a visit to positions at the first scan, in the scan frame.

    Attributes:
        grid: The grid of both scans.
        person: The person at the first scan.
        visit: The follow-up that is rendered.
    """

    grid: Grid
    person: Person
    visit: Visit

    def before_zyx_mm(self, scan_zyx_mm: ArrayLike) -> NDArray[np.float64]:
        """Maps positions of the visit, shape (..., 3), to positions at the first scan."""
        z, y, x = np.moveaxis(np.asarray(scan_zyx_mm, dtype=np.float64), -1, 0)
        shift_x, shift_y, shift_z = self.visit.shift_mm
        x0, y0 = self.grid.centre_xy_mm
        x, y, z = x - shift_x - x0, y - shift_y - y0, z - shift_z
        cos, sin = np.cos(self.visit.turn_rad), np.sin(self.visit.turn_rad)
        x, y = x * cos + y * sin, y * cos - x * sin
        # Below, the lung follows the diaphragm, more so behind; its tip stays. The chest deepens.
        height, depth = self.person.lung_height_mm, self.person.thorax_half_depth_mm
        level = np.clip((z - self.grid.bottom_mm) / height, 0, 1)
        lower = (
            self.visit.breath_mm * (1 - level) ** 1.5 * (0.75 + 0.25 * np.clip(y / depth, -1, 1))
        )
        wider = 1 + 0.03 * self.visit.breath_mm / 20 * np.sin(np.pi * np.clip(level, 0, 1))
        deep = depth - (depth - y) / wider
        before: NDArray[np.float64] = np.stack(
            [z + lower, deep + y0, x / (1 + (wider - 1) / 2) + x0], axis=-1
        )
        return before

    def now_zyx_mm(self, before_zyx_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps positions of the first scan, shape (n, 3), to positions of the visit."""
        now = before_zyx_mm.copy()
        for _ in range(_INVERSION_STEPS):
            now += before_zyx_mm - self.before_zyx_mm(now)
        return now

    def moved_voxel_zyx(self, voxel_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps fine voxels of the first scan, shape (n, 3), to fine voxels of the visit."""
        first, step = np.array(self.grid.first_zyx_mm), np.array(self.grid.spacing_zyx_mm)
        moved: NDArray[np.float64] = (self.now_zyx_mm(voxel_zyx * step + first) - first) / step
        return moved

    def moved(
        self, fine: NDArray[np.float32], labels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Moves the body to its position at the visit.

        Args:
            fine: HU at the first scan on the fine grid, ``[z, y, x]``.
            labels: uint8 lung labels at the first scan on the finished grid.

        Returns:
            HU on the fine grid and lung labels on the finished grid, at the visit.
        """
        from scipy.ndimage import map_coordinates

        grid = self.grid
        first, step = np.array(grid.first_zyx_mm), np.array(grid.spacing_zyx_mm)
        hu, sides = np.empty_like(fine), np.empty_like(labels)
        for index in range(grid.shape_zyx[0]):
            box = (slice(index, index + 1), slice(0, fine.shape[1]), slice(0, fine.shape[2]))
            voxel = np.moveaxis((self._before_of_box(box) - first) / step, -1, 0)
            hu[index] = map_coordinates(fine, voxel, order=1, mode="constant", cval=AIR_HU)[0]
            slice_index, off = divmod(index - grid.padding, grid.oversampling)
            if off == 0 and 0 <= slice_index < len(labels):
                voxel[0] = (voxel[0] - grid.padding) / grid.oversampling
                sides[slice_index] = map_coordinates(labels, voxel, order=0, mode="constant")[0]
        return hu, sides

    def lung_fraction(self, anatomy: Anatomy, box: Box) -> NDArray[np.float32]:
        """Computes the fraction of each voxel of a box of the visit that is lung.

        Args:
            anatomy: Organs at the first scan.
            box: Slices of the fine grid at the visit.

        Returns:
            Fractions, 0 to 1, of the shape of the box.
        """
        from scipy.ndimage import map_coordinates

        origin = np.array([axis[0] for axis in self.grid.coarse_axes_mm], dtype=np.float64)
        coarse = np.moveaxis((self._before_of_box(box) - origin) / COARSE_MM, -1, 0)
        distance = map_coordinates(anatomy.lungs.distance_mm, coarse, order=1, mode="nearest")
        return coverage(distance.astype(np.float32), self.grid.blur_mm)

    def _before_of_box(self, box: Box) -> NDArray[np.float64]:
        """Scan frame (z, y, x) at the first scan of every fine voxel of a box of the visit."""
        axes = [self.grid.axis_mm(axis)[part].astype(np.float64) for axis, part in enumerate(box)]
        return self.before_zyx_mm(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
