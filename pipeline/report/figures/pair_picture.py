"""A finding in the earlier study and in this one, side by side and to one scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.models.findings import Candidate
from hounsfield.pipeline.report.figures.finding_picture import finding_panels
from hounsfield.pipeline.report.figures.panel import png
from hounsfield.pipeline.report.filenames import growth_picture_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.findings import Finding, WorldPoint
    from hounsfield.pipeline.assessment.growth import GrowthComparison
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume

_PLANES = 2
"""Axial and coronal: the first two of `FINDING_PLANES`."""


def pair_pictures(
    growth: GrowthComparison,
    volume: Volume,
    findings: Sequence[Finding],
    outlines: Sequence[Segmentation | None],
    config: ReportConfig,
) -> dict[str, bytes]:
    """Draw both studies side by side for each finding whose place the earlier study shows.

    Args:
        growth: The comparison with the earlier study.
        volume: The later series on its native grid.
        findings: Findings of the later study, in the order of the report.
        outlines: Outline of each finding on the native grid; None where it has none.
        config: Lung window in HU, and the least width of a panel in mm.

    Returns:
        PNG files by name; none where nothing was compared.
    """
    if growth.earlier is None:
        return {}
    pictures = {}
    for compared in growth.findings or ():
        if compared.inside:
            index, nodule = compared.number - 1, compared.earlier
            pictures[growth_picture_name(compared.number)] = pair_picture(
                growth.earlier.volume,
                nodule.candidate.centre_world_mm if nodule else compared.earlier_world_mm,
                nodule.boundary if nodule else None,
                volume,
                findings[index],
                outlines[index],
                config,
            )
    return pictures


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
