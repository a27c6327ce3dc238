"""Removes slices from a series with spheres, and compares what is found before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.missing_slices.inserted_spheres import SphereKind, paint_spheres, place_spheres
from benchmarks.missing_slices.sphere_search import gained_false_positives, search
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.depth_grid import fit_grid
from hounsfield.preprocessing.geometry.slice_geometry import StackGeometry
from hounsfield.preprocessing.geometry.stacking import finish_stack
from hounsfield.preprocessing.volume import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.missing_slices.inserted_spheres import Background, Sphere
    from benchmarks.missing_slices.sphere_search import Searcher

KINDS = (
    SphereKind(4.0, "solid"),
    SphereKind(6.0, "solid"),
    SphereKind(10.0, "solid"),
    SphereKind(6.0, "ground_glass"),
    SphereKind(10.0, "ground_glass"),
)
GAP_SPHERES, SHARE_SPHERES = 8, 15
"""Spheres of each kind in one series, by gap and by share. More would lie too close to one another
near the gaps, or be more than the detector reports."""

LAYERS_APART_MM = 30.0
"""Distance of the gaps: no sphere has two."""


@dataclass(frozen=True, slots=True)
class SphereOutcome:
    """One sphere in one series with filled slices.

    Attributes:
        kind: Size and density.
        touched: Whether a part of it was in a lost slice.
        before, after: Whether it was reported in the intact and in the filled series.
        change: Measured volume over that in the intact series, minus 1: 0 where it is not touched,
            not finite where it had no outline in the intact series.
        error_before, error_after: Measured volume over the true one, minus 1; NaN where no removal
            touches it.
    """

    kind: SphereKind
    touched: bool
    before: bool
    after: bool
    change: float
    error_before: float
    error_after: float


@dataclass(frozen=True, slots=True)
class RemovalOutcome:
    """One series with filled slices.

    Attributes:
        missing: The slices that were lost.
        filled_by_rule: Whether the reader would fill them, and not refuse the series.
        spheres: The spheres in it.
        false_positives: Number of reported candidates that are no sphere and were not reported in
            the intact series.
    """

    missing: tuple[int, ...]
    filled_by_rule: bool
    spheres: tuple[SphereOutcome, ...]
    false_positives: int


def removals_by_gap(
    searcher: Searcher, background: Background, lost: Sequence[int], rng: np.random.Generator
) -> list[RemovalOutcome]:
    """Loses adjacent slices inside every sphere, more and more of them.

    Args:
        searcher: The models.
        background: The chest into which spheres are painted.
        lost: Numbers of adjacent slices, one series for each.
        rng: Source of all random choices.

    Returns:
        One outcome for each number in `lost`, with the same spheres.
    """
    slices, spacing_mm = len(background.volume.hu), background.volume.spacing_mm[2]
    apart = int(np.ceil(LAYERS_APART_MM / spacing_mm))
    margin = max(lost)
    layers = range(margin + int(rng.integers(apart)), slices - margin, apart)
    removed = [
        tuple(layer - (count - 1) // 2 + step for layer in layers for step in range(count))
        for count in lost
    ]
    spheres = place_spheres(background, KINDS * GAP_SPHERES, rng, layers=layers)
    return _compare(searcher, background, spheres, removed, rng)


def removals_by_share(
    searcher: Searcher, background: Background, shares: Sequence[float], rng: np.random.Generator
) -> list[RemovalOutcome]:
    """Loses slices at random, alone or adjacent as chance has it.

    Args:
        searcher: The models.
        background: The chest into which spheres are painted.
        shares: Fractions of the slices; at least one slice is lost.
        rng: Source of all random choices.

    Returns:
        One outcome for each share, with the same spheres.
    """
    slices = len(background.volume.hu)
    removed = [
        tuple((1 + rng.permutation(slices - 2)[: max(1, int(share * slices))]).tolist())
        for share in shares
    ]
    spheres = place_spheres(background, KINDS * SHARE_SPHERES, rng)
    return _compare(searcher, background, spheres, removed, rng)


def without_slices(volume: Volume, missing: Sequence[int]) -> Volume:
    """Fills slices by interpolation, as the reader does where they are missing.

    Args:
        volume: A series on its native grid.
        missing: Slices, neither the first nor the last among them, that are lost.

    Returns:
        A new volume of the same shape.
    """
    kept = tuple(z for z in range(len(volume.hu)) if z not in set(missing))
    directions = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    x_mm, y_mm, z_mm = volume.spacing_mm
    geometry = StackGeometry(
        order=tuple(range(len(kept))),
        origin_mm=volume.affine[:3, 3],
        row_direction=directions[:, 0],
        column_direction=directions[:, 1],
        normal=directions[:, 2],
        pixel_spacing_mm=(y_mm, x_mm),
        depths_mm=np.array(kept) * z_mm,
        shifts_mm=np.zeros((len(kept), 2)),
        tilt_degrees=0.0,
        jitter_degrees=0.0,
        slices=len(volume.hu),
        spacing_mm=z_mm,
        grid_index=kept,
        missing=tuple(sorted(missing)),
    )
    hu = volume.hu.copy()
    hu[list(missing)] = 0
    filled, affine = finish_stack(hu, geometry)
    return Volume(filled, affine, volume.series)


def rule_fills(volume: Volume, missing: Sequence[int]) -> bool:
    """Returns whether the reader would fill these slices, and not refuse the series.

    Args:
        volume: The series before slices are lost.
        missing: Slices that are lost.
    """
    kept = np.delete(np.arange(len(volume.hu), dtype=np.float64), list(missing))
    thickness = [volume.series.slice_thickness_mm] * len(kept)
    try:
        grid = fit_grid(kept * volume.spacing_mm[2], thickness, None)
    except SeriesError:
        return False
    return grid.missing == tuple(sorted(missing))


def touches(volume: Volume, sphere: Sphere, missing: Sequence[int]) -> bool:
    """Returns whether a part of a sphere lies in a lost slice.

    Args:
        volume: The series.
        sphere: A sphere in it.
        missing: Slices that are lost.
    """
    spacing_mm = volume.spacing_mm[2]
    middle = volume.voxel_xyz(sphere.centre_world_mm)[2]
    reach_mm = (sphere.kind.diameter_mm + spacing_mm) / 2
    return bool(np.min(np.abs(np.subtract(missing, middle))) * spacing_mm < reach_mm)


def _compare(
    searcher: Searcher,
    background: Background,
    spheres: Sequence[Sphere],
    removed: Sequence[tuple[int, ...]],
    rng: np.random.Generator,
) -> list[RemovalOutcome]:
    """Searches one series with spheres intact, and again without slices."""
    volume = paint_spheres(background, spheres, rng)
    touched = np.array([[touches(volume, sphere, lost) for sphere in spheres] for lost in removed])
    # What no removal touches keeps its volume, and is not measured.
    intact = search(
        searcher, background, volume, spheres, measured=np.any(touched, axis=0).tolist()
    )
    true_mm3 = np.array([sphere.kind.volume_mm3 for sphere in spheres])
    outcomes = []
    for missing, in_gap in zip(removed, touched, strict=True):
        filled = without_slices(volume, missing)
        result = search(searcher, background, filled, spheres, measured=in_gap.tolist())
        measured = np.where(in_gap, result.volumes_mm3, intact.volumes_mm3)
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(in_gap, measured / intact.volumes_mm3 - 1, 0.0)
        outcomes.append(
            RemovalOutcome(
                missing,
                rule_fills(volume, missing),
                tuple(
                    SphereOutcome(
                        sphere.kind,
                        bool(in_gap[index]),
                        bool(intact.scores[index] >= searcher.threshold),
                        bool(result.scores[index] >= searcher.threshold),
                        float(change[index]),
                        float(intact.volumes_mm3[index] / true_mm3[index] - 1),
                        float(measured[index] / true_mm3[index] - 1),
                    )
                    for index, sphere in enumerate(spheres)
                ),
                gained_false_positives(intact, result),
            )
        )
    return outcomes
