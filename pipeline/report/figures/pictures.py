"""All pictures of a report, by file name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.report.figures.activation_map import activation_picture
from hounsfield.pipeline.report.figures.finding_picture import finding_panels
from hounsfield.pipeline.report.figures.key_picture import key_picture
from hounsfield.pipeline.report.figures.panel import png
from hounsfield.pipeline.report.filenames import (
    KEY_PICTURE,
    activation_picture_name,
    picture_name,
)
from hounsfield.preprocessing.parallel import thread_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.contracts import Segmentation
    from hounsfield.models.findings import Finding
    from hounsfield.pipeline.config import ReportConfig
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


def report_pictures(
    volume: Volume,
    working: WorkingVolume,
    findings: Sequence[Finding],
    outlines: Sequence[Segmentation | None],
    config: ReportConfig,
    *,
    shown: int | None,
) -> dict[str, bytes]:
    """Draw all pictures of a report; findings are drawn in parallel.

    Args:
        volume: The series on its native grid.
        working: The series on the working grid; its lung labels limit the projection.
        findings: Best score first; numbered from 1 in this order.
        outlines: Voxels of each finding, None where it was not segmented.
        config: Lung window in HU, and the least width of a finding's picture in mm.
        shown: Number, from 1, of the finding through which the key image's slice goes; None for
            the middle of the lungs.

    Returns:
        PNG files by name: the key image, each finding's picture, and its activation map if any.
    """

    def draw(numbered: tuple[int, tuple[Finding, Segmentation | None]]) -> dict[str, bytes]:
        number, (finding, outline) = numbered
        panels = finding_panels(volume, finding, config, outline)
        files = {picture_name(number): png(panels)}
        if finding.activation_map is not None:
            files[activation_picture_name(number)] = activation_picture(
                panels, finding, finding.activation_map
            )
        return files

    pictures = {KEY_PICTURE: key_picture(volume, working, findings, config, shown=shown)}
    numbered = enumerate(zip(findings, outlines, strict=True), start=1)
    for files in thread_map(draw, numbered):
        pictures |= files
    return pictures
