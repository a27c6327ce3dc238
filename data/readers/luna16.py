"""LUNA16: MetaImage series in ten official subsets, and its tables of findings (Setio 2017)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.fingerprints import findings_sha256
from hounsfield.data.readers.dataset import (
    UNKNOWN_DIAMETER_MM,
    DatasetContents,
    missing_series,
    usable_ct,
)
from hounsfield.data.readers.label_checks import FRAME, inside, label_fault
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import Aliases, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.files.delimited import Table
    from hounsfield.preprocessing.volume import Volume

ANNOTATIONS, EXCLUDED = "annotations.csv", "annotations_excluded.csv"
CANDIDATES = ("candidates_V2.csv", "candidates.csv")
"""Tables of candidates; only the first one found is read, as it includes the second."""

_POSITION: Aliases = {"seriesuid": (), "coordX": (), "coordY": (), "coordZ": ()}

_HELD_AGAINST_VOLUME = "1"
"""Part of each fingerprint since labels are held against their volume."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A finding and the place of its row, such as ``annotations.csv, row 7``."""

    where: str
    finding: KnownFinding


@dataclass(frozen=True, slots=True, eq=False)
class _ListedLabels:
    """The rows of one series in all tables.

    Attributes:
        rows: Findings, those to ignore last.
        candidates: (n, 4), as in `Labels`; None where there is no table.
        candidate_rows: Place of each candidate's row.
    """

    rows: Sequence[_Row]
    candidates: NDArray[np.float64] | None
    candidate_rows: Sequence[str]

    def fitting(self, volume: Volume) -> Labels:
        """Gives the labels that lie in the series, and a sentence for each that does not."""
        left_out = []
        findings = []
        for row in self.rows:
            if fault := label_fault(row.finding, volume):
                left_out.append(f"{row.where}: {fault}")
            else:
                findings.append(row.finding)
        candidates = self.candidates
        if candidates is not None and not (fits := inside(candidates[:, :3], volume)).all():
            first = self.candidate_rows[int(np.argmin(fits))]
            count = np.count_nonzero(~fits)
            left_out.append(f"{first}: the first of {count} that lie outside the series; {FRAME}")
            candidates = candidates[fits]
        return Labels(tuple(findings), candidates=candidates, left_out=tuple(left_out))

    @property
    def fingerprint(self) -> str:
        candidates = b"" if self.candidates is None else self.candidates.tobytes()
        findings = findings_sha256([row.finding for row in self.rows])
        return hashlib.sha256(
            f"{_HELD_AGAINST_VOLUME} {findings}".encode() + candidates
        ).hexdigest()


def read_luna16(source: Path) -> DatasetContents:
    """Finds the series under ``subset0`` to ``subset9``, and the tables beside or below them.

    The files name no patient: each series counts as a patient of its own, and the folds are the
    official subsets. A series outside the subsets has no fold of its own. A row that lies outside
    its series, or repeats another, is left out and told.

    Args:
        source: A folder with any part of the download, in any arrangement of folders.

    Returns:
        One case per usable series.

    Raises:
        UsageError: ``annotations.csv`` is missing, a table exists twice or cannot be read.
    """
    usable, excluded_cases = usable_ct(discover([source]))
    annotations, excluded_table = _only(source, ANNOTATIONS), _at_most_one(source, EXCLUDED)
    nodules, repeated = _without_repeats(_rows(annotations, ignored=False))
    # In the official table of findings to ignore every third row repeats another.
    excluded, _ = _without_repeats(_rows(excluded_table, ignored=True) if excluded_table else {})
    candidates = _candidates(source)
    labelled = []
    for series in usable:
        uid = series.facts.series_uid
        listed = _ListedLabels(
            [*nodules.get(uid, ()), *excluded.get(uid, ())],
            *((None, ()) if candidates is None else candidates.get(uid, (np.empty((0, 4)), ()))),
        )
        labelled.append(
            LabelledSeries(
                series=series,
                patient_id=uid,
                labels=listed.fitting,
                labels_fingerprint=listed.fingerprint,
                fold=_subset(series.path.relative_to(source)),
            )
        )
    present = {Path(case.name).stem for case in excluded_cases}
    present |= {case.series_uid for case in labelled}
    absent = {uid: rows[0].where for uid, rows in nodules.items() if uid not in present}
    missing = missing_series(source, absent, what="annotations")
    return DatasetContents(labelled, [*excluded_cases, *repeated, *missing])


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
    rows_of = _rows(table, ignored=ignored)
    return {uid: [row.finding for row in rows] for uid, rows in rows_of.items()}


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
    listed = _candidates(source)
    return None if listed is None else {uid: values for uid, (values, _) in listed.items()}


def _rows(table: Path, *, ignored: bool) -> dict[str, list[_Row]]:
    """The rows of a table of findings by series UID, in their order."""
    rows = read_table(table, {**_POSITION, "diameter_mm": ()}, positional=False)
    numbers = _finite(rows, "coordX", "coordY", "coordZ", "diameter_mm").tolist()
    rows_of: dict[str, list[_Row]] = {}
    for uid, number, (x, y, z, diameter_mm) in zip(
        rows.columns["seriesuid"], rows.row_numbers, numbers, strict=True
    ):
        known_mm = UNKNOWN_DIAMETER_MM if diameter_mm < 0 else diameter_mm
        finding = KnownFinding((x, y, z), known_mm, ignored=ignored)
        rows_of.setdefault(uid, []).append(_Row(f"{table.name}, row {number}", finding))
    return rows_of


def _without_repeats(
    rows_of: Mapping[str, Iterable[_Row]],
) -> tuple[dict[str, list[_Row]], list[ExcludedCase]]:
    """The rows of which no earlier one of the series has the place, and a record of the others."""
    first_rows: dict[str, list[_Row]] = {}
    repeated = []
    for uid, rows in rows_of.items():
        first_at: dict[tuple[float, float, float], _Row] = {}
        for row in rows:
            first = first_at.setdefault(row.finding.centre_world_mm, row)
            if first is row:
                continue
            msg = f"{row.where}: has the place of {first.where}, which is used"
            repeated.append(
                ExcludedCase(name=uid, reason="label_repeated", message=msg, failed=False)
            )
        first_rows[uid] = list(first_at.values())
    return first_rows, repeated


def _candidates(source: Path) -> dict[str, tuple[NDArray[np.float64], list[str]]] | None:
    """The candidates of each series, (n, 4), and the place of each row; None without a table."""
    tables = (_at_most_one(source, name) for name in CANDIDATES)
    table = next(filter(None, tables), None)
    if table is None:
        return None
    rows = read_table(table, {**_POSITION, "class": ()}, positional=False)
    values = _finite(rows, "coordX", "coordY", "coordZ", "class")
    rows_of: dict[str, list[int]] = {}
    for index, uid in enumerate(rows.columns["seriesuid"]):
        rows_of.setdefault(uid, []).append(index)
    return {
        uid: (values[indices], [f"{table.name}, row {rows.row_numbers[i]}" for i in indices])
        for uid, indices in rows_of.items()
    }


def _finite(rows: Table, *columns: str) -> NDArray[np.float64]:
    """Some columns of numbers, shape (rows, columns)."""
    return np.column_stack([rows.finite_numbers(column) for column in columns])


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
