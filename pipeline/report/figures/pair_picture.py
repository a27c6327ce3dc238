"""A finding in the earlier study and in this one, side by side and to one scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.models.contracts import Candidate
from hounsfield.pipeline.report.figures.finding_picture import finding_panels
from hounsfield.pipeline.report.figures.panel import png

if TYPE_CHECKING:
    from hounsfield.models.contracts import Finding, Segmentation, WorldPoint
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume

_PLANES = 2
"""Axial and coronal: the first two of `FINDING_PLANES`."""


def pair_picture(
    earlier: Volume,
    earlier_place_world_mm: WorldPoint,
    earlier_outline: Segmentation | None,
    volume: Volume,
    finding: Finding | Candidate,
    outline: Segmentation | None,
    config: ReportConfig,
) -> bytes:
    """Draw each plane of the earlier study and, to its right, the same plane of this one.

    Args:
        earlier: The earlier series on its native grid.
        earlier_place_world_mm: The finding's place in the earlier series, (x, y, z) in LPS mm.
        earlier_outline: Voxels of the nodule in the earlier series; None where it has none.
        volume: This series on its native grid.
        finding: The finding of this series; its diameter sets the scale of all panels.
        outline: Voxels of the finding; None where it was not segmented.
        config: Lung window in HU, and the least width of a panel in mm.

    Returns:
        The bytes of a PNG file.
    """
    earlier_finding = Candidate(earlier_place_world_mm, finding.diameter_mm, finding.score)
    before = finding_panels(earlier, earlier_finding, config, earlier_outline)
    now = finding_panels(volume, finding, config, outline)
    panels = []
    for old, new in zip(before[:_PLANES], now[:_PLANES], strict=True):
        panels += [
            replace(old, title=f"earlier  {old.title}"),
            replace(new, title=f"now  {new.title}"),
        ]
    return png(panels)
