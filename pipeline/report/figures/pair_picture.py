"""A finding then and now, side by side and to one scale."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.models.contracts import Candidate
from hounsfield.pipeline.report.figures.panel import png
from hounsfield.pipeline.report.figures.pictures import finding_panels
from hounsfield.pipeline.report.filenames import growth_picture_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.contracts import Finding, Segmentation, WorldPoint
    from hounsfield.pipeline.assessment.growth import GrowthComparison
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume

PLANES = 2
"""Axial and coronal: the first of those in which a finding is shown."""


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
        findings: Findings of the later study.
        outlines: Outline of each finding; None where it has none.
        config: Field of view and window of the pictures.

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
