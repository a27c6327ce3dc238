"""The key image: all findings on a coronal projection of the lungs, and one axial slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion

from hounsfield.pipeline.report.figures.annotations import Ring
from hounsfield.pipeline.report.figures.finding_picture import ring_radius_mm
from hounsfield.pipeline.report.figures.panel import Panel, png
from hounsfield.pipeline.report.figures.planes import AXIAL, CORONAL
from hounsfield.pipeline.report.figures.sampling import apply_window, enlarge, sample_hu
from hounsfield.preprocessing.hu_rounding import AIR_HU

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.findings import Finding
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume

_HEIGHT_PX = 460
_SLICE_MARGIN_MM = 25.0
_RIM_MM = 2.0
"""The outermost lung holds so much of the chest wall that a projection would show little else."""

_BLACK_PERCENTILE, _WHITE_PERCENTILE = 2, 99
_BLACK_LIMITS_HU = (-950.0, -750.0)
_WHITE_LIMITS_HU = (250.0, 700.0)
_WHITE_MARGIN_HU = 150.0
"""White lies above the brightest vessels and hila, so that these keep their shades.

Measured on eight series: the 99th percentile of the projection is 45 to 60 HU without contrast
agent, 180 to 720 HU with it. Below 250 HU unenhanced hila would be near white; above 700 HU, which
only dense contrast agent and metal reach, lungs and nodules would turn dark."""
_BACKGROUND_GREY = 75.0
"""Brightest grey of the chest behind the projection: faint nodules stay brighter than it."""


def key_picture(
    volume: Volume,
    working: WorkingVolume,
    findings: Sequence[Finding],
    config: ReportConfig,
    *,
    shown: int | None,
) -> bytes:
    """Draw the lungs at a glance: a coronal projection with all findings, and an axial slice.

    The projection shows the largest HU along each ray inside the lungs, over a faint mean of the
    whole chest.

    Args:
        volume: The series on its native grid, for the slice.
        working: The series on the working grid; its lung labels limit the projection.
        findings: What the rings mark; labels are their numbers from 1, in this order.
        config: Lung window of the slice, in HU.
        shown: Number, from 1, of the finding through whose centre the slice goes; None for the
            middle of the lungs.

    Returns:
        The bytes of a PNG file.
    """
    middle = None if shown is None else findings[shown - 1]
    return png(
        [
            _projection(working, findings),
            _axial_slice(volume, working, findings, middle, config),
        ]
    )


def projection_window_hu(projection_hu: NDArray[np.integer]) -> tuple[float, float]:
    """Choose the window of the projection, so that vessels and hila are not blown out.

    Black is the 2nd percentile; white is 150 HU above the 99th; both are kept within limits.

    Args:
        projection_hu: Largest HU along each ray that passes through lung, any shape.

    Returns:
        HU that are black, and HU that are white.
    """
    if projection_hu.size == 0:
        return _BLACK_LIMITS_HU[0], _WHITE_LIMITS_HU[0]
    dark, bright = np.percentile(projection_hu, (_BLACK_PERCENTILE, _WHITE_PERCENTILE))
    black = float(np.clip(dark, *_BLACK_LIMITS_HU))
    white = float(np.clip(bright + _WHITE_MARGIN_HU, *_WHITE_LIMITS_HU))
    return black, white


def _projection(working: WorkingVolume, findings: Sequence[Finding]) -> Panel:
    lungs = binary_erosion(working.lung_labels > 0, iterations=_rim_voxels(working))
    largest_hu = np.where(lungs, working.hu, AIR_HU).max(axis=1)
    black, white = projection_window_hu(largest_hu[lungs.any(axis=1)])
    inside = apply_window(largest_hu, (black + white) / 2, white - black)
    grey = np.maximum(inside, _background(working))[::-1]
    mm_per_px = len(grey) * working.spacing_mm[0] / _HEIGHT_PX
    width_px = round(grey.shape[1] * working.spacing_mm[0] / mm_per_px)
    rings = []
    for number, finding in enumerate(findings, start=1):
        x, _, z = working.voxel_xyz(finding.centre_world_mm)
        centre_px = np.array((x, len(grey) - 1 - z)) * working.spacing_mm[0] / mm_per_px
        radius_px = ring_radius_mm(finding) / mm_per_px
        rings.append(Ring((centre_px[0], centre_px[1]), radius_px, str(number)))
    enlarged = enlarge(grey, (_HEIGHT_PX, width_px))
    return Panel(enlarged, mm_per_px, "coronal projection", CORONAL.edges, tuple(rings))


def _background(working: WorkingVolume) -> NDArray[np.floating]:
    """Faint grey values of the mean of the whole chest, ``[z, x]``."""
    mean_hu = np.clip(working.hu, AIR_HU, 400).mean(axis=1, dtype=np.float32)
    low, high = np.percentile(mean_hu, (2, 99.5))
    grey: NDArray[np.floating] = np.clip(
        _BACKGROUND_GREY * (mean_hu - low) / max(high - low, 1.0), 0, 255
    )
    return grey


def _axial_slice(
    volume: Volume,
    working: WorkingVolume,
    findings: Sequence[Finding],
    middle: Finding | None,
    config: ReportConfig,
) -> Panel:
    corners = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    box_mm = working.world_mm(corners * (np.array(working.hu.shape[::-1]) - 1))
    centre_mm = box_mm.mean(axis=0)
    if middle is not None:
        centre_mm[2] = middle.centre_world_mm[2]
    width_mm, height_mm = np.ptp(box_mm, axis=0)[:2] + 2 * _SLICE_MARGIN_MM
    mm_per_px = height_mm / _HEIGHT_PX
    shape = (_HEIGHT_PX, round(width_mm / mm_per_px))
    centre = (float(centre_mm[0]), float(centre_mm[1]), float(centre_mm[2]))
    hu = sample_hu(volume, AXIAL, centre, shape, mm_per_px)
    grey = apply_window(hu, config.window_centre_hu, config.window_width_hu)
    rings = []
    for number, finding in enumerate(findings, start=1):
        away_mm = np.subtract(finding.centre_world_mm, centre)
        if abs(away_mm[2]) > finding.diameter_mm / 2:
            continue
        column, row = away_mm[:2] / mm_per_px + (np.array(shape[::-1]) - 1) / 2
        rings.append(Ring((column, row), ring_radius_mm(finding) / mm_per_px, str(number)))
    title = f"axial  z {centre[2]:.1f} mm"
    return Panel(grey, mm_per_px, title, AXIAL.edges, tuple(rings))


def _rim_voxels(working: WorkingVolume) -> int:
    return max(1, round(_RIM_MM / working.spacing_mm[0]))
