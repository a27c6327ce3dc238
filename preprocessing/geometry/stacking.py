"""Turns planes into an even, orthogonal volume: fills holes, corrects tilt, resamples in depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hounsfield.preprocessing.geometry.slice_geometry import plane_affine
from hounsfield.preprocessing.hu_rounding import AIR_HU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.geometry.slice_geometry import StackGeometry


def allocate_stack(geometry: StackGeometry, rows: int, columns: int) -> NDArray[np.int16]:
    """Returns the empty int16 array that planes are read into, on their even grid if they have one.

    Args:
        geometry: Positions and spacing, from `fit_stack`.
        rows: Number of rows of each plane.
        columns: Number of columns of each plane.
    """
    slices = geometry.slices if geometry.grid_index is not None else len(geometry.order)
    return np.empty((slices, rows, columns), dtype=np.int16)


def stack_index(geometry: StackGeometry, ordered_plane: int) -> int:
    """Returns the slice of `allocate_stack`'s array that an ordered plane is read into.

    Args:
        geometry: Positions and spacing, from `fit_stack`.
        ordered_plane: Position of the plane in `geometry.order`.
    """
    return ordered_plane if geometry.grid_index is None else geometry.grid_index[ordered_plane]


def finished_shape(geometry: StackGeometry, rows: int, columns: int) -> tuple[int, int, int]:
    """Returns slices, rows and columns of the volume that `finish_stack` makes.

    Args:
        geometry: Positions and spacing, from `fit_stack`.
        rows: Number of rows of each plane.
        columns: Number of columns of each plane.
    """
    _, (extra_columns, extra_rows) = _in_plane_room(geometry)
    return (geometry.slices, rows + int(extra_rows), columns + int(extra_columns))


def finish_stack(
    planes: NDArray[np.int16], geometry: StackGeometry
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Makes a volume from planes that have been read into their slices.

    Interpolation is linear: in the plane for a tilt, in depth for missing and uneven slices.
    Voxels that no slice covers after a tilt was sheared back hold `AIR_HU`.

    Args:
        planes: int16 ``[z, y, x]`` from `allocate_stack`; missing slices may hold anything. It is
            changed in place where possible, and is the result if nothing has to be interpolated.
        geometry: Positions and spacing, from `fit_stack`.

    Returns:
        The volume, int16 ``[z, y, x]``, and its 4 x 4 affine to LPS mm.
    """
    index = geometry.grid_index or tuple(range(len(geometry.order)))
    origin = geometry.origin_mm
    everywhere = _Cover(0, planes.shape[1], 0, planes.shape[2])
    covers = dict.fromkeys(index, everywhere)
    if geometry.tilt_degrees:
        planes, covers, origin = _shear_back(planes, geometry, index)
    if geometry.grid_index is None:
        planes = _resample_depth(planes, covers, geometry.depths_mm, geometry.slices)
    else:
        for z in geometry.missing:
            below = max(i for i in index if i < z)
            above = min(i for i in index if i > z)
            planes[z] = _between(planes, covers, below, above, (z - below) / (above - below))
    return planes, plane_affine(geometry, origin)


class _Cover(NamedTuple):
    """The rows and columns of a slice that an image covers; elsewhere it holds `AIR_HU`."""

    top: int
    bottom: int
    left: int
    right: int


def _between(
    planes: NDArray[np.int16], covers: dict[int, _Cover], below: int, above: int, fraction: float
) -> NDArray[np.int16]:
    """Interpolates between two slices where both cover, so that no tissue is mixed with air."""
    if fraction <= 0.0 or fraction >= 1.0:
        exact: NDArray[np.int16] = planes[below if fraction <= 0.0 else above]
        return exact
    lower, upper = covers[below], covers[above]
    rows = slice(max(lower.top, upper.top), min(lower.bottom, upper.bottom))
    columns = slice(max(lower.left, upper.left), min(lower.right, upper.right))
    between = np.full(planes.shape[1:], AIR_HU, dtype=np.int16)
    between[rows, columns] = _blend(
        planes[below, rows, columns], planes[above, rows, columns], fraction
    )
    return between


def _resample_depth(
    planes: NDArray[np.int16],
    covers: dict[int, _Cover],
    depths_mm: NDArray[np.float64],
    slices: int,
) -> NDArray[np.int16]:
    """Interpolates slices at even depths from the true, uneven ones."""
    even = np.linspace(0.0, float(depths_mm[-1]), slices)
    above = np.clip(np.searchsorted(depths_mm, even, side="right"), 1, len(depths_mm) - 1)
    resampled = np.empty((slices, *planes.shape[1:]), dtype=np.int16)
    for z, upper in enumerate(above):
        bottom, top = depths_mm[upper - 1], depths_mm[upper]
        fraction = float((even[z] - bottom) / (top - bottom))
        resampled[z] = _between(planes, covers, int(upper) - 1, int(upper), fraction)
    return resampled


def _shear_back(
    planes: NDArray[np.int16], geometry: StackGeometry, index: tuple[int, ...]
) -> tuple[NDArray[np.int16], dict[int, _Cover], NDArray[np.float64]]:
    """Shifts each slice within its plane to its true position, on a grid wide enough for all.

    Returns:
        The slices, what each of them covers, and the centre of the grid's first pixel, LPS mm.
    """
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    shifts = geometry.shifts_mm / (column_spacing, row_spacing)
    first, extra = _in_plane_room(geometry)
    depth, rows, columns = planes.shape
    sheared = np.full((depth, rows + extra[1], columns + extra[0]), AIR_HU, dtype=np.int16)
    covers = {}
    for z, shift in zip(index, shifts - first, strict=True):
        moved, left = _shift_axis(planes[z], float(shift[0]), axis=1)
        moved, top = _shift_axis(moved, float(shift[1]), axis=0)
        cover = _Cover(top, top + moved.shape[0], left, left + moved.shape[1])
        sheared[z, cover.top : cover.bottom, cover.left : cover.right] = moved
        covers[z] = cover
    origin = (
        geometry.origin_mm
        + first[0] * column_spacing * geometry.row_direction
        + first[1] * row_spacing * geometry.column_direction
    )
    return sheared, covers, origin


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
    # Pixel p of the grid is at p - shift of the plane: between its pixels p-whole-1 and p-whole.
    lower = np.take(plane, range(plane.shape[axis] - 1), axis=axis)
    upper = np.take(plane, range(1, plane.shape[axis]), axis=axis)
    return _blend(lower, upper, 1.0 - fraction), whole + 1


def _blend(
    lower: NDArray[np.int16], upper: NDArray[np.int16], fraction: float
) -> NDArray[np.int16]:
    """Linear interpolation, rounded to whole HU."""
    blended = lower * np.float32(1.0 - fraction) + upper * np.float32(fraction)
    return np.rint(blended).astype(np.int16)
