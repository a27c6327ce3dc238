"""LUNA16: MetaImage series in ten official subsets, and its tables of findings (Setio 2017)."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.fingerprints import findings_sha256
from hounsfield.data.readers.dataset import (
    UNKNOWN_DIAMETER_MM,
    DatasetContents,
    missing_series,
    usable_ct,
)
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import Aliases, read_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

ANNOTATIONS, EXCLUDED = "annotations.csv", "annotations_excluded.csv"
CANDIDATES = ("candidates_V2.csv", "candidates.csv")
"""Tables of candidates; only the first one found is read, as it includes the second."""

_POSITION: Aliases = {"seriesuid": (), "coordX": (), "coordY": (), "coordZ": ()}


def read_luna16(source: Path) -> DatasetContents:
    """Finds the series under ``subset0`` to ``subset9``, and the tables beside or below them.

    The files name no patient: each series counts as a patient of its own, and the folds are the
    official subsets. A series outside the subsets has no fold of its own.

    Args:
        source: A folder with any part of the download, in any arrangement of folders.

    Returns:
        One case per usable series.

    Raises:
        UsageError: ``annotations.csv`` is missing, a table exists twice or cannot be read.
    """
    usable, excluded_cases = usable_ct(discover([source]))
    annotations, excluded_table = _only(source, ANNOTATIONS), _at_most_one(source, EXCLUDED)
    nodules = read_findings(annotations, ignored=False)
    excluded = read_findings(excluded_table, ignored=True) if excluded_table else {}
    candidates = read_candidates(source)
    labelled = []
    for series in usable:
        uid = series.facts.series_uid
        labels = Labels(
            (*nodules.get(uid, ()), *excluded.get(uid, ())),
            candidates=None if candidates is None else candidates.get(uid, np.empty((0, 4))),
        )
        labelled.append(
            LabelledSeries(
                series=series,
                patient_id=uid,
                labels=partial(_same_for_any_volume, labels),
                labels_fingerprint=_fingerprint(labels),
                fold=_subset(series.path.relative_to(source)),
            )
        )
    present = {Path(case.name).stem for case in excluded_cases}
    present |= {case.series_uid for case in labelled}
    absent = nodules.keys() - present
    return DatasetContents(
        labelled, [*excluded_cases, *missing_series(source, absent, what="annotations")]
    )


def read_findings(table: Path, *, ignored: bool) -> dict[str, list[KnownFinding]]:
    """Reads a table with the columns ``seriesuid,coordX,coordY,coordZ,diameter_mm``.

    Args:
        table: Positions in LPS mm; a negative diameter is unknown.
        ignored: Whether the findings are neither nodules to find nor empty places.

    Returns:
        The findings of each series by its UID, in the order of the table.

    Raises:
        UsageError: A column is missing, or a cell is not a number.
    """
    rows = read_table(table, {**_POSITION, "diameter_mm": ()}, positional=False)
    x, y, z, diameters_mm = (
        rows.finite_numbers(column).tolist()
        for column in ("coordX", "coordY", "coordZ", "diameter_mm")
    )
    findings: dict[str, list[KnownFinding]] = {}
    for uid, *centre, diameter_mm in zip(
        rows.columns["seriesuid"], x, y, z, diameters_mm, strict=True
    ):
        known_mm = UNKNOWN_DIAMETER_MM if diameter_mm < 0 else diameter_mm
        finding = KnownFinding((centre[0], centre[1], centre[2]), known_mm, ignored=ignored)
        findings.setdefault(uid, []).append(finding)
    return findings


def read_candidates(source: Path) -> dict[str, NDArray[np.float64]] | None:
    """Reads the candidates of each series.

    Args:
        source: The table is at or below this folder.

    Returns:
        By series UID, shape (n, 4): x, y, z in LPS mm, and 1 for a nodule or 0 for none. None
        where there is no table.

    Raises:
        UsageError: A table exists twice, a column is missing, or a cell is not a number.
    """
    tables = (_at_most_one(source, name) for name in CANDIDATES)
    table = next(filter(None, tables), None)
    if table is None:
        return None
    rows = read_table(table, {**_POSITION, "class": ()}, positional=False)
    values = np.column_stack(
        [rows.finite_numbers(column) for column in ("coordX", "coordY", "coordZ", "class")]
    )
    rows_of: dict[str, list[int]] = {}
    for index, uid in enumerate(rows.columns["seriesuid"]):
        rows_of.setdefault(uid, []).append(index)
    return {uid: values[indices] for uid, indices in rows_of.items()}


def _same_for_any_volume(labels: Labels, _volume: Volume) -> Labels:
    """The tables are in mm already, so the volume is not needed."""
    return labels


def _fingerprint(labels: Labels) -> str:
    candidates = b"" if labels.candidates is None else labels.candidates.tobytes()
    return hashlib.sha256(findings_sha256(labels.findings).encode() + candidates).hexdigest()


def _only(source: Path, name: str) -> Path:
    """The one table of a name at or below a folder."""
    table = _at_most_one(source, name)
    if table is None:
        msg = f"{source} must hold {name}, but there is none"
        raise UsageError(msg)
    return table


def _at_most_one(source: Path, name: str) -> Path | None:
    tables = sorted(source.rglob(name))
    if len(tables) > 1:
        msg = f"{source} must hold one {name}, but holds {tables[0]} and {tables[1]}"
        raise UsageError(msg)
    return tables[0] if tables else None


def _subset(path: Path) -> int | None:
    """The official subset among the folders of a path."""
    for part in path.parts:
        if match := re.fullmatch(r"subset([0-9])", part):
            return int(match[1])
    return None
