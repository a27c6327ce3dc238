"""The geometry of a stack of slices: order, spacing, tilt and holes, from positions alone.

InstanceNumber, SpacingBetweenSlices, GantryDetectorTilt and file names are never used: each of them
is wrong in real series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.depth_grid import POSITION_TOLERANCE_MM, fit_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.geometry.frame import Frame

NORMAL_TOLERANCE = 1e-3
"""Deviation from the slice normal, in mm per mm; more is a tilt."""

MAX_JITTER_DEGREES = 0.2
"""Angle between the directions of two slices of one stack: a writer that rounds them is up to 0.1
degree off the mean, which displaces the edge of a slice by 0.3 mm."""

MAX_TILT_DEGREES = 45.0
"""No gantry tilts further (30 degrees is usual): such slices are not one stack."""


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
        jitter_degrees: The largest angle between a plane and the mean of all; 0 if they are
            parallel.
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
    jitter_degrees: float
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
        value = frame.text_of_unreadable("ImageOrientationPatient")
        fault = f"cannot be read: {value!r}" if value else "is missing"
        msg = f"ImageOrientationPatient (0020,0037) {fault}"
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
    (row, column, normal), jitter = _mean_axes(frames)
    spacing = frames[0].pixel_spacing_mm
    if spacing is None or min(spacing) <= 0:
        value = frames[0].text_of_unreadable("PixelSpacing")
        got = repr(value) if value else spacing or "none"
        msg = f"PixelSpacing (0028,0030) must be two positive numbers, got {got}"
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
    grid = fit_grid(depths, thickness, spacing_hint_mm)
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
        jitter_degrees=jitter,
        slices=grid.slices,
        spacing_mm=grid.spacing_mm,
        grid_index=grid.grid_index,
        missing=grid.missing,
    )


def _mean_axes(
    frames: Sequence[Frame],
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], float]:
    """The axes of the first plane, or the mean of all where they differ; and the jitter, degrees.

    Raises:
        SeriesError: The planes are further apart than `MAX_JITTER_DEGREES`.
    """
    first = frames[0]
    directions = {(frame.row_direction, frame.column_direction) for frame in frames}
    axes = slice_axes(first)
    if len(directions) == 1:
        return axes, 0.0
    each = [slice_axes(frame) for frame in frames]
    mean = [np.mean([planes_axes[axis] for planes_axes in each], axis=0) for axis in (0, 1)]
    row, column = (tuple(direction.tolist()) for direction in mean)
    axes = slice_axes(replace(first, row_direction=row, column_direction=column))
    # The chord of two unit vectors keeps its precision where the angle is small.
    chord = max(
        float(np.linalg.norm(planes_axes[axis] - axes[axis]))
        for planes_axes in each
        for axis in range(3)
    )
    jitter = math.degrees(2 * math.asin(min(chord / 2, 1.0)))
    if jitter > MAX_JITTER_DEGREES:
        msg = (
            f"Slices are turned by up to {jitter:.2f} degrees against one another by "
            "ImageOrientationPatient (0020,0037): they are not one stack"
        )
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    return axes, jitter


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
