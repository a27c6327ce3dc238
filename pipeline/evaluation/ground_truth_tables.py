"""Writes the findings of prepared scans as tables for ``hounsfield evaluate luna16``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.preprocessing.files.csv_files import write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case import CaseFacts

_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")


@dataclass(frozen=True, slots=True)
class GroundTruthTables:
    """Paths of the tables that were written.

    Attributes:
        annotations: Table of the nodules.
        excluded: Table of the findings on which predictions are ignored.
        series: Table of the scans, those without findings included.
        nodules: Number of nodules in `annotations`.
    """

    annotations: Path
    excluded: Path
    series: Path
    nodules: int


def write_ground_truth_tables(scans: Sequence[CaseFacts], folder: Path) -> GroundTruthTables:
    """Writes ``annotations.csv``, ``annotations_excluded.csv`` and ``seriesuids.csv``.

    Args:
        scans: Prepared scans; findings with `ignored` go to the excluded ones.
        folder: Existing folder for the tables.

    Returns:
        The paths of the tables.

    Raises:
        OutputError: A table cannot be written.
    """
    tables = GroundTruthTables(
        annotations=folder / "annotations.csv",
        excluded=folder / "annotations_excluded.csv",
        series=folder / "seriesuids.csv",
        nodules=sum(not finding.ignored for scan in scans for finding in scan.findings),
    )
    for path, ignored in ((tables.annotations, False), (tables.excluded, True)):
        rows = (
            (scan.series_uid, *finding.centre_world_mm, finding.diameter_mm)
            for scan in scans
            for finding in scan.findings
            if finding.ignored == ignored
        )
        write_csv(path, rows, columns=_COLUMNS)
    write_csv(tables.series, ((scan.series_uid,) for scan in scans))
    return tables
