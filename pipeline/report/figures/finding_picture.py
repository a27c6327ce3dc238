"""A finding in three planes through its centre, in the lung window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.pipeline.report.figures.annotations import Ring
from hounsfield.pipeline.report.figures.panel import Panel
from hounsfield.pipeline.report.figures.planes import FINDING_PLANES
from hounsfield.pipeline.report.figures.sampling import (
    apply_window,
    sample_hu,
    sample_nodule_fraction,
)

if TYPE_CHECKING:
    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.findings import Candidate, Finding
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume

_PANEL_PX = 342
_MIN_RING_MM = 4.0


def finding_panels(
    volume: Volume,
    finding: Finding | Candidate,
    config: ReportConfig,
    outline: Segmentation | None = None,
) -> list[Panel]:
    """Show axial, coronal and sagittal planes through a finding's centre.

    The planes are those of the patient, sampled linearly from the native grid.

    Args:
        volume: The series on its native grid.
        finding: What the ring marks; its centre is the middle of each plane.
        config: Lung window in HU, and the least width of a plane in mm.
        outline: Voxels of the finding; their edge is drawn.

    Returns:
        One panel for each of `FINDING_PLANES`.
    """
    width_mm = max(config.field_of_view_mm, 2.5 * finding.diameter_mm)
    mm_per_px = width_mm / _PANEL_PX
    middle_px = (_PANEL_PX - 1) / 2
    ring = Ring((middle_px, middle_px), ring_radius_mm(finding) / mm_per_px, cross=True)
    shape = (_PANEL_PX, _PANEL_PX)
    centre_mm = finding.centre_world_mm
    panels = []
    for plane in FINDING_PLANES:
        hu = sample_hu(volume, plane, centre_mm, shape, mm_per_px)
        grey = apply_window(hu, config.window_centre_hu, config.window_width_hu)
        title = f"{plane.name}  {plane.normal} {plane.position_mm(centre_mm):.1f} mm"
        panel = Panel(grey, mm_per_px, title, plane.edges, (ring,))
        if outline is not None:
            nodule = sample_nodule_fraction(volume, outline, plane, centre_mm, shape, mm_per_px)
            panel = replace(panel, outlined=nodule >= 0.5)
        panels.append(panel)
    return panels


def ring_radius_mm(finding: Finding | Candidate) -> float:
    """Radius of the ring around a finding: a little outside its edge.

    Args:
        finding: Its diameter counts, in mm.

    Returns:
        The radius in mm, at least 4.
    """
    return max(_MIN_RING_MM, 0.65 * finding.diameter_mm + 1.0)
