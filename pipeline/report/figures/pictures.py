"""The pictures of a report: three planes through each finding, and all marks at a glance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion, map_coordinates

from hounsfield.pipeline.report.figures.activation_map import activation_picture
from hounsfield.pipeline.report.figures.panel import Panel, Ring, png
from hounsfield.pipeline.report.figures.planes import (
    AXIAL,
    CORONAL,
    FINDING_PLANES,
    Plane,
    plane_world_mm,
)
from hounsfield.pipeline.report.filenames import (
    KEY_PICTURE,
    activation_picture_name,
    picture_name,
)
from hounsfield.preprocessing.parallel import thread_map
from hounsfield.preprocessing.volume import AIR_HU

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.contracts import Candidate, Finding, Segmentation, WorldPoint
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


_FINDING_PANEL_PX = 342
_KEY_HEIGHT_PX = 460
_MIN_RING_MM = 4.0
_PROJECTION_WINDOW_HU = (-475.0, 950.0)
_PROJECTION_BACKGROUND = 0.42
_RIM_MM = 2.0


def report_pictures(
    volume: Volume,
    working: WorkingVolume,
    findings: Sequence[Finding],
    outlines: Sequence[Segmentation | None],
    config: ReportConfig,
    *,
    shown: int | None,
) -> dict[str, bytes]:
    """Draws all pictures of a report.

    Args:
        volume: The series.
        working: The same on the working grid.
        findings: What is marked.
        outlines: Of each finding.
        config: Widths and windows.
        shown: Number, from 1, of the finding that the key picture's slice goes through.

    Returns:
        PNG files by name: the key picture, each finding's, and each finding's evidence, if any.
    """

    def of_finding(numbered: tuple[int, tuple[Finding, Segmentation | None]]) -> dict[str, bytes]:
        number, (finding, outline) = numbered
        panels = finding_panels(volume, finding, config, outline)
        drawn = {picture_name(number): png(panels)}
        if finding.activation_map is not None:
            drawn[activation_picture_name(number)] = activation_picture(
                panels, finding, finding.activation_map
            )
        return drawn

    pictures = {KEY_PICTURE: key_picture(volume, working, findings, config, shown=shown)}
    numbered = enumerate(zip(findings, outlines, strict=True), start=1)
    for drawn in thread_map(of_finding, numbered):
        pictures |= drawn
    return pictures


def finding_panels(
    volume: Volume,
    finding: Finding | Candidate,
    config: ReportConfig,
    outline: Segmentation | None = None,
) -> list[Panel]:
    """Shows axial, coronal and sagittal planes through a finding's centre, in the lung window.

    The planes are those of the patient, sampled linearly from the native grid.

    Args:
        volume: The series.
        finding: What is shown.
        config: Width and window.
        outline: Its voxels, whose edge is drawn.

    Returns:
        One for each of `FINDING_PLANES`.
    """
    width_mm = max(config.field_of_view_mm, 2.5 * finding.diameter_mm)
    mm_per_px = width_mm / _FINDING_PANEL_PX
    middle_px = (_FINDING_PANEL_PX - 1) / 2
    ring = Ring((middle_px, middle_px), _ring_mm(finding) / mm_per_px, cross=True)
    panels = []
    for plane in FINDING_PLANES:
        shape = (_FINDING_PANEL_PX, _FINDING_PANEL_PX)
        hu = _sampled(volume, plane, finding.centre_world_mm, shape, mm_per_px)
        grey = _windowed(hu, config.window_centre_hu, config.window_width_hu)
        title = f"{plane.name}  {plane.normal} {plane.height_mm(finding.centre_world_mm):.1f} mm"
        panel = Panel(grey, mm_per_px, title, plane.edges, (ring,))
        if outline is not None:
            share = _sampled_share(
                volume, outline, plane, finding.centre_world_mm, shape, mm_per_px
            )
            panel = replace(panel, outlined=share >= 0.5)
        panels.append(panel)
    return panels


def key_picture(
    volume: Volume,
    working: WorkingVolume,
    findings: Sequence[Finding],
    config: ReportConfig,
    *,
    shown: int | None,
) -> bytes:
    """Draws the lungs at a glance: a coronal projection with all marks, and an axial slice.

    The projection shows the largest value along each ray inside the lungs, over a faint mean of
    the whole chest. The slice goes through the finding of the number `shown`, or, for None, through
    the middle of the lungs.

    Returns:
        The bytes of a PNG file.
    """
    middle = None if shown is None else findings[shown - 1]
    return png([_projection(working, findings), _slice(volume, working, findings, middle, config)])


def _projection(working: WorkingVolume, findings: Sequence[Finding]) -> Panel:
    lungs = binary_erosion(working.lung_labels > 0, iterations=_rim_voxels(working))
    inside = np.where(lungs, working.hu, AIR_HU).max(axis=1)
    background = np.clip(working.hu, AIR_HU, 400).mean(axis=1, dtype=np.float32)
    low, high = np.percentile(background, (2, 99.5))
    faint = _PROJECTION_BACKGROUND * 255 * (background - low) / max(high - low, 1.0)
    grey = np.maximum(_windowed(inside, *_PROJECTION_WINDOW_HU), np.clip(faint, 0, 255))[::-1]
    mm_per_px = len(grey) * working.spacing_mm[0] / _KEY_HEIGHT_PX
    width_px = round(grey.shape[1] * working.spacing_mm[0] / mm_per_px)
    rings = []
    for number, finding in enumerate(findings, start=1):
        x, _, z = working.voxel_xyz(finding.centre_world_mm)
        centre_px = np.array((x, len(grey) - 1 - z)) * working.spacing_mm[0] / mm_per_px
        radius_px = _ring_mm(finding) / mm_per_px
        rings.append(Ring((centre_px[0], centre_px[1]), radius_px, str(number)))
    enlarged = _resized(grey, (_KEY_HEIGHT_PX, width_px))
    return Panel(enlarged, mm_per_px, "coronal projection", CORONAL.edges, tuple(rings))


def _slice(
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
    width_mm, height_mm = np.ptp(box_mm, axis=0)[:2] + 50.0
    mm_per_px = height_mm / _KEY_HEIGHT_PX
    shape = (_KEY_HEIGHT_PX, round(width_mm / mm_per_px))
    centre = (float(centre_mm[0]), float(centre_mm[1]), float(centre_mm[2]))
    hu = _sampled(volume, AXIAL, centre, shape, mm_per_px)
    grey = _windowed(hu, config.window_centre_hu, config.window_width_hu)
    rings = []
    for number, finding in enumerate(findings, start=1):
        away_mm = np.subtract(finding.centre_world_mm, centre)
        if abs(away_mm[2]) > finding.diameter_mm / 2:
            continue
        column, row = away_mm[:2] / mm_per_px + (np.array(shape[::-1]) - 1) / 2
        rings.append(Ring((column, row), _ring_mm(finding) / mm_per_px, str(number)))
    title = f"axial  z {centre[2]:.1f} mm"
    return Panel(grey, mm_per_px, title, AXIAL.edges, tuple(rings))


def _rim_voxels(working: WorkingVolume) -> int:
    """How many voxels of the lungs' rim hold so much of the chest wall that they would hide all."""
    return max(1, round(_RIM_MM / working.spacing_mm[0]))


def _ring_mm(finding: Finding | Candidate) -> float:
    """The ring's radius: a little outside the finding."""
    return max(_MIN_RING_MM, 0.65 * finding.diameter_mm + 1.0)


def _sampled(
    volume: Volume, plane: Plane, centre_world_mm: WorldPoint, shape: tuple[int, int], step: float
) -> NDArray[np.float32]:
    """HU of a plane through a point, ``[row, column]``, `step` mm apart; air outside."""
    world_mm = plane_world_mm(plane, centre_world_mm, shape, step)
    voxels_zyx = _voxels_zyx(volume, world_mm)
    # Half a voxel around the grid still belongs to its outermost voxels.
    nearest = np.clip(voxels_zyx, 0, np.array(volume.shape_zyx).reshape(3, 1, 1) - 1)
    hu = map_coordinates(volume.hu, nearest, output=np.float32, order=1)
    outside = (np.abs(voxels_zyx - nearest) > 0.5).any(axis=0)
    sampled: NDArray[np.float32] = np.where(outside, np.float32(AIR_HU * 2), hu)
    return sampled


def _sampled_share(
    volume: Volume,
    outline: Segmentation,
    plane: Plane,
    centre_world_mm: WorldPoint,
    shape: tuple[int, int],
    step: float,
) -> NDArray[np.float32]:
    """How much of a plane's pixels is nodule, as `_sampled`."""
    world_mm = plane_world_mm(plane, centre_world_mm, shape, step)
    voxels_zyx = _voxels_zyx(volume, world_mm)
    inside = voxels_zyx - np.array(outline.start_zyx).reshape(3, 1, 1)
    share: NDArray[np.float32] = map_coordinates(outline.share, inside, output=np.float32, order=1)
    return share


def _voxels_zyx(volume: Volume, world_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fractional voxels of a plane's pixels, ``[3, row, column]``."""
    return np.moveaxis(volume.voxel_xyz(world_mm)[..., ::-1], -1, 0)


def _windowed(
    hu: NDArray[np.integer] | NDArray[np.floating], centre: float, width: float
) -> NDArray[np.uint8]:
    """Grey values of a window: black at centre - width / 2, white at centre + width / 2."""
    scaled = (hu.astype(np.float32) - (centre - width / 2)) * (255 / width)
    grey: NDArray[np.uint8] = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return grey


def _resized(
    grey: NDArray[np.floating] | NDArray[np.uint8], shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Enlarges a picture smoothly to (rows, columns)."""
    image = Image.fromarray(np.rint(grey).astype(np.uint8))
    enlarged: NDArray[np.uint8] = np.array(image.resize(shape[::-1], Image.Resampling.BICUBIC))
    return enlarged
