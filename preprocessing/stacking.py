"""From planes to an even, orthogonal volume: fill holes, shear back a tilt, resample in depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from preprocessing.slice_geometry import plane_affine
from preprocessing.volume import AIR_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from preprocessing.slice_geometry import StackGeometry


def allocate_stack(geometry: StackGeometry, rows: int, columns: int) -> NDArray[np.int16]:
    """Makes the array that planes are read into: on their even grid where they have one."""
    slices = geometry.slices if geometry.grid_index is not None else len(geometry.order)
    return np.empty((slices, rows, columns), dtype=np.int16)


def stack_index(geometry: StackGeometry, ordered_plane: int) -> int:
    """Which slice of `allocate_stack`'s array an ordered plane belongs into."""
    return ordered_plane if geometry.grid_index is None else geometry.grid_index[ordered_plane]


def finished_shape(geometry: StackGeometry, rows: int, columns: int) -> tuple[int, int, int]:
    """Slices, rows and columns of what `finish_stack` makes."""
    _, (extra_columns, extra_rows) = _in_plane_room(geometry)
    return (geometry.slices, rows + int(extra_rows), columns + int(extra_columns))


def finish_stack(
    planes: NDArray[np.int16], geometry: StackGeometry
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Makes the volume of planes that have been read into their places.

    Interpolation is linear: in the plane for a tilt, in depth for missing and uneven slices.
    Places that no slice covers after a tilt was sheared back hold `AIR_HU`.

    Args:
        planes: int16 ``[z, y, x]`` of `allocate_stack`; missing slices hold anything. It may
            be changed, and is the result where nothing has to be interpolated.
        geometry: Where the planes lie.

    Returns:
        The volume, int16 ``[z, y, x]``, and its 4 x 4 affine to LPS mm.
    """
    depths = geometry.depths_mm
    index = geometry.grid_index or tuple(range(len(depths)))
    origin = geometry.origin_mm
    if geometry.tilt_degrees:
        planes, origin = _shear_back(planes, geometry, index)
    if geometry.grid_index is None:
        planes = _resample_depth(planes, depths, geometry.slices)
    else:
        _fill_missing(planes, geometry.missing)
    return planes, plane_affine(geometry, origin)


def _fill_missing(planes: NDArray[np.int16], missing: tuple[int, ...]) -> None:
    """Interpolates each missing slice between the nearest ones that are there."""
    for z in missing:
        below = next(i for i in range(z - 1, -1, -1) if i not in missing)
        above = next(i for i in range(z + 1, len(planes)) if i not in missing)
        planes[z] = _blend(planes[below], planes[above], (z - below) / (above - below))


def _resample_depth(
    planes: NDArray[np.int16], depths_mm: NDArray[np.float64], slices: int
) -> NDArray[np.int16]:
    """Interpolates slices at even depths from the true, uneven ones."""
    even = np.linspace(0.0, float(depths_mm[-1]), slices)
    above = np.clip(np.searchsorted(depths_mm, even, side="right"), 1, len(depths_mm) - 1)
    resampled = np.empty((slices, *planes.shape[1:]), dtype=np.int16)
    for z, upper in enumerate(above):
        below, top = depths_mm[upper - 1], depths_mm[upper]
        fraction = float(np.clip((even[z] - below) / (top - below), 0.0, 1.0))
        resampled[z] = _blend(planes[upper - 1], planes[upper], fraction)
    return resampled


def _shear_back(
    planes: NDArray[np.int16], geometry: StackGeometry, index: tuple[int, ...]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Moves each slice in its plane to where it lies, on a grid wide enough for all of them."""
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    shifts = geometry.shifts_mm / (column_spacing, row_spacing)
    first, extra = _in_plane_room(geometry)
    depth, rows, columns = planes.shape
    sheared = np.full((depth, rows + extra[1], columns + extra[0]), AIR_HU, dtype=np.int16)
    for z, shift in zip(index, shifts - first, strict=True):
        moved, x = _shift_axis(planes[z], float(shift[0]), axis=1)
        moved, y = _shift_axis(moved, float(shift[1]), axis=0)
        sheared[z, y : y + moved.shape[0], x : x + moved.shape[1]] = moved
    origin = (
        geometry.origin_mm
        + first[0] * column_spacing * geometry.row_direction
        + first[1] * row_spacing * geometry.column_direction
    )
    return sheared, origin


def _in_plane_room(geometry: StackGeometry) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """First (column, row) of the grid that holds all shifted slices, and how much wider it is."""
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    shifts = geometry.shifts_mm / (column_spacing, row_spacing)
    first = np.floor(shifts.min(axis=0)).astype(int)
    return first, np.ceil(shifts.max(axis=0)).astype(int) - first


def _shift_axis(
    plane: NDArray[np.int16], shift: float, *, axis: int
) -> tuple[NDArray[np.int16], int]:
    """Values at whole pixels of a plane moved by `shift` pixels, and the first such pixel."""
    whole = int(np.floor(shift))
    fraction = shift - whole
    if fraction < 1e-6:
        return plane, whole
    # Pixel p of the grid lies at p - shift of the plane: between its pixels p-whole-1 and p-whole.
    lower = np.take(plane, range(plane.shape[axis] - 1), axis=axis)
    upper = np.take(plane, range(1, plane.shape[axis]), axis=axis)
    return _blend(lower, upper, 1.0 - fraction), whole + 1


def _blend(
    lower: NDArray[np.int16], upper: NDArray[np.int16], fraction: float
) -> NDArray[np.int16]:
    """Linear interpolation, rounded to whole HU."""
    if fraction <= 0.0:
        return lower
    if fraction >= 1.0:
        return upper
    blended = lower * np.float32(1.0 - fraction) + upper * np.float32(fraction)
    return np.rint(blended).astype(np.int16)
