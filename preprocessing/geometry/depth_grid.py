"""The even grid of slices along their normal: its spacing, and the slices that are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SPACING_TOLERANCE = 0.01
"""Fraction of a length by which it may differ from another that it is compared with: of slices off
an even grid, of the spacings of two slices, of a gap beyond the widest that is filled. The limits
on a series' size have `extent.LENGTH_TOLERANCE`."""

POSITION_TOLERANCE_MM = 0.01
"""The effect of rounding in ImagePositionPatient; less is never called uneven."""

SAME_POSITION_MM = 0.05
"""Two slices closer than this along the normal are two images at one position."""

MAX_MISSING_SLICES, MAX_MISSING_FRACTION = 3, 0.03
"""Missing slices that are interpolated in a whole series: so many in any, and this fraction of a
long one. The benchmark `missing_slices` shows what that does to nodules."""

MAX_MISSING_GAP_MM, MAX_MISSING_GAP_STEPS = 5.0, 2.0
"""The widest gap that is filled, whichever is wider: one missing slice, or as far as the slices of
a scan of 5 mm lie apart. A solid nodule of 6 mm is still found in it, one of 4 mm every other
time."""

MAX_FILLED_GAP_MM = 10.0
"""No gap that is wider is filled, however thick the slices: solid nodules of 10 mm vanish in it."""

CONTIGUOUS_GAP = 1.5
"""Gap in slice thicknesses up to which the tissue between two slices has been measured."""

_COMMON_GAP_FRACTION = 0.1
"""Fraction of the gaps of an uneven stack that must be as narrow as the grid it is resampled to."""

_SAME_GAP_FRACTION = 0.75
"""Gaps that are wider than this part of the usual one differ from it by rounding."""

_MAX_EXPECTED_SLICES = 20_000


@dataclass(frozen=True, slots=True)
class DepthGrid:
    """Slices at even depths.

    Attributes:
        slices: Number of slices from the first plane to the last.
        spacing_mm: Distance of the slices.
        grid_index: Slice of each plane; None if the planes are not on one even grid.
        missing: Slices without a plane.
    """

    slices: int
    spacing_mm: float
    grid_index: tuple[int, ...] | None
    missing: tuple[int, ...] = ()


def fit_grid(
    depths_mm: NDArray[np.float64], thickness_mm: Sequence[float | None], hint_mm: float | None
) -> DepthGrid:
    """Finds the even grid of the slices, with or without holes, or one to resample them to.

    Args:
        depths_mm: Position of each plane along the normal, sorted, from 0, shape (n,).
        thickness_mm: Nominal thickness of each; None where unknown.
        hint_mm: Spacing to assume for a single plane.

    Returns:
        The grid on which the slices lie; without `grid_index` where they have to be resampled.

    Raises:
        SeriesError: `missing_slices` with the numbers, `inconsistent_geometry` where two planes
            have one position.
    """
    count = len(depths_mm)
    known = [t for t in thickness_mm if t]
    if count == 1:
        return DepthGrid(1, hint_mm or (known[0] if known else 1.0), (0,))
    gaps = np.diff(depths_mm)
    typical = float(np.median(gaps))
    if gaps.min() < SAME_POSITION_MM:
        msg = "Two slices have the same position"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    candidates = [typical, float(gaps.min()), *(known[:1])]
    grids = [grid for spacing in candidates if (grid := _grid_of(depths_mm, spacing)) is not None]
    for grid in grids:
        if _may_be_filled(grid):
            return grid
    thickness_changes = len({round(t, 2) for t in known}) > 1
    if (grids and not thickness_changes) or _has_hole(gaps, thickness_mm, typical):
        raise _too_many_missing(depths_mm, gaps, grids[0] if grids else None)
    return _uneven_grid(depths_mm, gaps, typical)


def max_missing(slices: int) -> int:
    """Returns how many slices of a series may be missing.

    Args:
        slices: Number of slices, missing ones included.
    """
    return max(MAX_MISSING_SLICES, int(MAX_MISSING_FRACTION * slices))


def _uneven_grid(
    depths_mm: NDArray[np.float64], gaps: NDArray[np.float64], typical: float
) -> DepthGrid:
    """A grid as fine as the densest part, so that nothing measured is lost."""
    narrow = float(np.quantile(gaps, _COMMON_GAP_FRACTION))
    if narrow > _SAME_GAP_FRACTION * typical:
        narrow = typical
    span = float(depths_mm[-1])
    # Never many more slices than there are images, however unevenly they lie.
    spacing = max(min(narrow, typical), span / (3 * len(depths_mm)))
    slices = round(span / spacing) + 1
    return DepthGrid(slices, span / (slices - 1), None)


def _grid_of(depths_mm: NDArray[np.float64], spacing_mm: float) -> DepthGrid | None:
    """The even grid of about this spacing that every slice lies on, if there is one."""
    steps = np.rint(np.diff(depths_mm) / spacing_mm).astype(int)
    if steps.min() < 1 or steps.sum() > _MAX_EXPECTED_SLICES:
        return None
    index = np.concatenate([[0], np.cumsum(steps)])
    exact = float(depths_mm[-1]) / int(index[-1])
    tolerance = max(SPACING_TOLERANCE * exact, POSITION_TOLERANCE_MM)
    if np.abs(depths_mm - index * exact).max() > tolerance:
        return None
    missing = sorted(set(range(int(index[-1]) + 1)) - set(index.tolist()))
    return DepthGrid(int(index[-1]) + 1, exact, tuple(index.tolist()), tuple(missing))


def _may_be_filled(grid: DepthGrid) -> bool:
    """Whether so few slices are missing that they may be interpolated."""
    if len(grid.missing) > max_missing(grid.slices):
        return False
    steps = np.diff(grid.grid_index or (0,))
    widest = int(steps.max()) if len(steps) else 1
    return widest == 1 or widest * grid.spacing_mm <= widest_gap_mm(grid.spacing_mm)


def widest_gap_mm(spacing_mm: float) -> float:
    """Returns the widest gap between two slices that is filled.

    Args:
        spacing_mm: Distance of the slices.
    """
    gap_mm = max(MAX_MISSING_GAP_MM, MAX_MISSING_GAP_STEPS * spacing_mm)
    return min(gap_mm, MAX_FILLED_GAP_MM) * (1 + SPACING_TOLERANCE)


def _has_hole(gaps: NDArray[np.float64], thickness: Sequence[float | None], typical: float) -> bool:
    """Whether tissue was not scanned: a gap wider than the slices beside it and than most gaps."""
    for gap, before, after in zip(gaps, thickness, thickness[1:], strict=False):
        covered = min(max(before or typical, after or typical), MAX_FILLED_GAP_MM)
        if gap > CONTIGUOUS_GAP * max(covered, typical):
            return True
    return False


def _too_many_missing(
    depths_mm: NDArray[np.float64], gaps: NDArray[np.float64], grid: DepthGrid | None
) -> SeriesError:
    """States what is present and missing, by the finest grid that fits the slices."""
    widest = float(gaps.max())
    if grid is None:
        msg = f"There is a gap of {widest:.1f} mm among {len(depths_mm)} unevenly spaced slices"
        limits = f"gaps of up to {MAX_MISSING_GAP_MM:g} mm are filled"
    else:
        msg = (
            f"{len(depths_mm)} of {grid.slices} expected slices of {grid.spacing_mm:.3g} mm are "
            f"there, with a gap of {widest:.1f} mm"
        )
        limits = (
            f"at most {max_missing(grid.slices)} missing slices and gaps of up to "
            f"{widest_gap_mm(grid.spacing_mm):.3g} mm are filled"
        )
    return SeriesError(Reason.MISSING_SLICES, f"{msg}; {limits}")
