"""The geometry of a stack of slices: order, spacing, tilt and holes, from positions alone.

InstanceNumber, SpacingBetweenSlices, GantryDetectorTilt and file names are never used: each of them
is wrong in real series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.geometry.frame import Frame

SPACING_TOLERANCE = 0.01
"""Fraction of the spacing by which slices may be off an even grid."""

POSITION_TOLERANCE_MM = 0.01
"""The effect of rounding in ImagePositionPatient; less is never called uneven."""

SAME_POSITION_MM = 0.05
"""Two slices closer than this along the normal are two images at one position."""

NORMAL_TOLERANCE = 1e-3
"""Deviation from the slice normal, in mm per mm; more is a tilt."""

MAX_TILT_DEGREES = 45.0
"""No gantry tilts further (30 degrees is usual): such slices are not one stack."""

MAX_MISSING_SLICES = 3
"""Number of missing slices in the whole series; with more it fails."""

MAX_ADJACENT_MISSING = 2
"""Number of missing slices side by side; with more the series fails."""

MAX_MISSING_GAP_MM = 12.0
"""The widest gap that is filled: a wider one could hide a relevant nodule."""

_MAX_EXPECTED_SLICES = 20_000

CONTIGUOUS_GAP = 1.5
"""Gap in slice thicknesses up to which the tissue between two slices has been measured."""


@dataclass(frozen=True, slots=True, eq=False)
class StackGeometry:
    """How the planes of one acquisition form a volume.

    Attributes:
        order: Indices of the planes passed to `fit_stack`, sorted along the slice normal.
        origin_mm: Centre of the first pixel of the first ordered plane, LPS mm.
        row_direction, column_direction, normal: Orthogonal unit vectors, LPS.
        pixel_spacing_mm: Between rows, between columns.
        depths_mm: ``(n,)``: distance of each ordered plane from the first along the normal.
        shifts_mm: ``(n, 2)``: offset of each ordered plane from the first along the row and the
            column direction; all 0 if the stack is orthogonal.
        tilt_degrees: Angle between the stacking direction and the normal; 0 if orthogonal.
        slices: Number of slices of the even grid from the first plane to the last.
        spacing_mm: Distance of the slices of that grid.
        grid_index: Slice of each ordered plane on the even grid; None if the planes are not on
            one.
        missing: Slices of the grid without a plane.
    """

    order: tuple[int, ...]
    origin_mm: NDArray[np.float64]
    row_direction: NDArray[np.float64]
    column_direction: NDArray[np.float64]
    normal: NDArray[np.float64]
    pixel_spacing_mm: tuple[float, float]
    depths_mm: NDArray[np.float64]
    shifts_mm: NDArray[np.float64]
    tilt_degrees: float
    slices: int
    spacing_mm: float
    grid_index: tuple[int, ...] | None
    missing: tuple[int, ...]

    @property
    def affine(self) -> NDArray[np.float64]:
        """4 x 4 of the even grid: maps (x, y, z) indices to LPS mm, origin at the first plane."""
        return plane_affine(self, self.origin_mm)


def orientation_name(normal: NDArray[np.float64]) -> str:
    """Returns ``axial``, ``coronal``, ``sagittal``, or ``oblique`` if 32 degrees off all of them.

    A gantry tilts up to 30 degrees, and its slices still count as axial.

    Args:
        normal: Unit vector along the slice normal, LPS, either sign.
    """
    axis = int(np.argmax(np.abs(normal)))
    return ("sagittal", "coronal", "axial")[axis] if abs(normal[axis]) >= 0.85 else "oblique"


@dataclass(frozen=True, slots=True)
class _Grid:
    slices: int
    spacing_mm: float
    grid_index: tuple[int, ...] | None
    missing: tuple[int, ...] = ()


def plane_affine(geometry: StackGeometry, origin_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the 4 x 4 that maps (x, y, z) indices to LPS mm.

    Args:
        geometry: Gives directions and spacing.
        origin_mm: Centre of the first pixel, LPS mm.
    """
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = geometry.row_direction * column_spacing
    affine[:3, 1] = geometry.column_direction * row_spacing
    affine[:3, 2] = geometry.normal * geometry.spacing_mm
    affine[:3, 3] = origin_mm
    return affine


def slice_axes(
    frame: Frame,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns row direction, column direction and normal of a plane, made exactly orthonormal.

    Args:
        frame: A plane whose directions may be rounded.

    Raises:
        SeriesError: `no_position` without an orientation, `inconsistent_geometry` if the
            directions are not unit vectors at a right angle.
    """
    if frame.row_direction is None or frame.column_direction is None:
        msg = "ImageOrientationPatient (0020,0037) is missing"
        raise SeriesError(Reason.NO_POSITION, msg)
    row, column = np.array(frame.row_direction), np.array(frame.column_direction)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if any(abs(length - 1) > 0.01 for length in lengths) or abs(row @ column) > 0.01:
        msg = (
            f"ImageOrientationPatient (0020,0037) {frame.row_direction + frame.column_direction} "
            "must be two unit vectors at a right angle"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    row = row / lengths[0]
    column = column - (column @ row) * row
    column /= np.linalg.norm(column)
    return row, column, np.cross(row, column)


def fit_stack(frames: Sequence[Frame], spacing_hint_mm: float | None = None) -> StackGeometry:
    """Finds how planes of one orientation, size and pixel spacing form a volume.

    Args:
        frames: At least one plane; no two at the same position.
        spacing_hint_mm: Slice spacing to assume for a single plane.

    Returns:
        The geometry of the stack.

    Raises:
        SeriesError: `no_position`, `inconsistent_geometry`, or `missing_slices` with the numbers.
    """
    row, column, normal = slice_axes(frames[0])
    spacing = frames[0].pixel_spacing_mm
    if spacing is None or min(spacing) <= 0:
        msg = f"PixelSpacing (0028,0030) must be two positive numbers, got {spacing}"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    if any(frame.position_mm is None for frame in frames):
        msg = "ImagePositionPatient (0020,0032) is missing"
        raise SeriesError(Reason.NO_POSITION, msg)
    positions = np.array([frame.position_mm for frame in frames], dtype=np.float64)
    order = np.argsort(positions @ normal, kind="stable")
    offsets = positions[order] - positions[order[0]]
    depths = offsets @ normal
    shifts, tilt = _in_plane_shifts(depths, offsets @ np.stack([row, column], axis=1))
    thickness = [frames[i].slice_thickness_mm for i in order]
    grid = _fit_grid(depths, thickness, spacing_hint_mm)
    return StackGeometry(
        order=tuple(int(i) for i in order),
        origin_mm=positions[order[0]],
        row_direction=row,
        column_direction=column,
        normal=normal,
        pixel_spacing_mm=spacing,
        depths_mm=depths,
        shifts_mm=shifts,
        tilt_degrees=tilt,
        slices=grid.slices,
        spacing_mm=grid.spacing_mm,
        grid_index=grid.grid_index,
        missing=grid.missing,
    )


def _in_plane_shifts(
    depths: NDArray[np.float64], shifts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The in-plane shift of each slice and the tilt in degrees; 0 if they are rounding only."""
    span = depths[-1]
    if span <= 0:
        return np.zeros_like(shifts), 0.0
    tolerance = max(NORMAL_TOLERANCE * span, POSITION_TOLERANCE_MM)
    if np.abs(shifts).max() <= tolerance:
        return np.zeros_like(shifts), 0.0
    slope = depths @ shifts / (depths @ depths)
    off_line = float(np.abs(shifts - depths[:, None] * slope).max())
    if off_line > tolerance:
        msg = (
            f"Slices are up to {off_line:.2f} mm off a straight line by ImagePositionPatient "
            "(0020,0032): they are not one stack"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    tilt = math.degrees(math.atan(float(np.linalg.norm(slope))))
    if tilt > MAX_TILT_DEGREES:
        msg = f"Slices are stacked {tilt:.0f} degrees off their normal: they are not one volume"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    return shifts, tilt


def _fit_grid(
    depths: NDArray[np.float64], thickness: Sequence[float | None], hint_mm: float | None
) -> _Grid:
    """The even grid of the slices, with or without holes, or one to resample them to."""
    count = len(depths)
    known = [t for t in thickness if t]
    if count == 1:
        return _Grid(1, hint_mm or (known[0] if known else 1.0), (0,))
    gaps = np.diff(depths)
    typical = float(np.median(gaps))
    if gaps.min() < SAME_POSITION_MM:
        msg = "Two slices have the same position"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    candidates = [typical, float(gaps.min()), *(known[:1])]
    grids = [grid for spacing in candidates if (grid := _grid_of(depths, spacing)) is not None]
    for grid in grids:
        if _may_be_filled(grid):
            return grid
    thickness_changes = len({round(t, 2) for t in known}) > 1
    if (grids and not thickness_changes) or _has_hole(gaps, thickness, typical):
        raise _too_many_missing(depths, gaps, grids[0] if grids else None)
    # Never many more slices than there are images, however unevenly they lie.
    span = float(depths[-1])
    slices = round(span / max(typical, span / (3 * count))) + 1
    return _Grid(slices, span / (slices - 1), None)


def _grid_of(depths: NDArray[np.float64], spacing: float) -> _Grid | None:
    """The even grid of about this spacing that every slice lies on, if there is one."""
    steps = np.rint(np.diff(depths) / spacing).astype(int)
    if steps.min() < 1 or steps.sum() > _MAX_EXPECTED_SLICES:
        return None
    index = np.concatenate([[0], np.cumsum(steps)])
    exact = float(depths[-1]) / int(index[-1])
    tolerance = max(SPACING_TOLERANCE * exact, POSITION_TOLERANCE_MM)
    if np.abs(depths - index * exact).max() > tolerance:
        return None
    missing = sorted(set(range(int(index[-1]) + 1)) - set(index.tolist()))
    return _Grid(int(index[-1]) + 1, exact, tuple(index.tolist()), tuple(missing))


def _may_be_filled(grid: _Grid) -> bool:
    """Whether so few slices are missing that they may be interpolated."""
    if len(grid.missing) > MAX_MISSING_SLICES:
        return False
    steps = np.diff(grid.grid_index or (0,))
    widest = int(steps.max()) if len(steps) else 1
    if widest == 1:
        return True
    return widest - 1 <= MAX_ADJACENT_MISSING and widest * grid.spacing_mm <= MAX_MISSING_GAP_MM


def _has_hole(gaps: NDArray[np.float64], thickness: Sequence[float | None], typical: float) -> bool:
    """Whether tissue was not scanned: a gap wider than the slices beside it and than most gaps."""
    for gap, before, after in zip(gaps, thickness, thickness[1:], strict=False):
        covered = min(max(before or typical, after or typical), MAX_MISSING_GAP_MM)
        if gap > CONTIGUOUS_GAP * max(covered, typical):
            return True
    return False


def _too_many_missing(
    depths: NDArray[np.float64], gaps: NDArray[np.float64], grid: _Grid | None
) -> SeriesError:
    """States what is present and missing, by the finest grid that fits the slices."""
    widest = float(gaps.max())
    if grid is None:
        msg = f"There is a gap of {widest:.1f} mm among {len(depths)} unevenly spaced slices"
    else:
        msg = (
            f"{len(depths)} of {grid.slices} expected slices of {grid.spacing_mm:.3g} mm are "
            f"there, with a gap of {widest:.1f} mm"
        )
    limits = (
        f"at most {MAX_MISSING_SLICES} missing slices, {MAX_ADJACENT_MISSING} side by side and "
        f"a gap of {MAX_MISSING_GAP_MM:.0f} mm are filled"
    )
    return SeriesError(Reason.MISSING_SLICES, f"{msg}; {limits}")
