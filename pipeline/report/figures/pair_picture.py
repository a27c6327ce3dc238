"""A finding then and now, side by side and to one scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.models.contracts import Candidate
from hounsfield.pipeline.report.figures.panel import png
from hounsfield.pipeline.report.figures.pictures import finding_panels

if TYPE_CHECKING:
    from hounsfield.models.contracts import Finding, Segmentation, WorldPoint
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume

PLANES = 2
"""Axial and coronal: the first of those in which a finding is shown."""


def pair_picture(
    earlier: Volume,
    earlier_place_world_mm: WorldPoint,
    earlier_outline: Segmentation | None,
    volume: Volume,
    finding: Finding | Candidate,
    outline: Segmentation | None,
    config: ReportConfig,
) -> bytes:
    """Draws each plane of the earlier study and beside it that of this one.

    Args:
        earlier: The earlier series.
        earlier_place_world_mm: Where the finding lies there.
        earlier_outline: Its voxels there, if it is there.
        volume: This series.
        finding: The finding of this study; its size is that of all panels.
        outline: Its voxels.
        config: Width and window.

    Returns:
        The bytes of a PNG file.
    """
    there = Candidate(earlier_place_world_mm, finding.diameter_mm, finding.score)
    before = finding_panels(earlier, there, config, earlier_outline)
    now = finding_panels(volume, finding, config, outline)
    panels = []
    for old, new in zip(before[:PLANES], now[:PLANES], strict=True):
        panels += [
            replace(old, title=f"earlier  {old.title}"),
            replace(new, title=f"now  {new.title}"),
        ]
    return png(panels)
