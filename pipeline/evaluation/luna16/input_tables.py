"""Readers for the tables of LUNA16 and similar challenges: scans, findings, predictions, facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import Aliases, Table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_SERIES: Aliases = {"seriesuid": ("series_uid", "series", "uid", "scan")}
_ID: Aliases = {"id": ("number", "index", "seriesid", "series_id")}
_CENTRE: Aliases = {
    "coordX": ("x", "x_mm", "coord_x"),
    "coordY": ("y", "y_mm", "coord_y"),
    "coordZ": ("z", "z_mm", "coord_z"),
}
MAX_DIGITS = 18
"""Of the number of a scan."""

_SERIES_OR_ID: Aliases = {"seriesuid": (*_SERIES["seriesuid"], *_ID["id"], "id")}


@dataclass(frozen=True, slots=True)
class ScanList:
    """The scans by whose number false positives are divided.

    Attributes:
        uids: Every listed scan once, in the order of the file.
        uid_of_number: Scan that a number stands for, where the list has numbers.
    """

    uids: tuple[str, ...]
    uid_of_number: Mapping[int, str]

    def indices(self, names: Sequence[str]) -> NDArray[np.intp]:
        """Returns the index of each named scan, -1 for a scan that is not listed."""
        index: dict[str, int] = {uid: i for i, uid in enumerate(self.uids)}
        for name in set(names) - index.keys():
            index[name] = index.get(_resolved(name, self.uid_of_number), -1)
        return np.array([index[name] for name in names], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Findings:
    """Nodules, or excluded findings, on listed scans.

    Attributes:
        scan: (n,) index into the scan list.
        centre_world_mm: (n, 3) x, y, z in LPS mm.
        diameter_mm: (n,) as in the file; negative where it is unknown.
    """

    scan: NDArray[np.intp]
    centre_world_mm: NDArray[np.float64]
    diameter_mm: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """A submission, row by row as in its file.

    Attributes:
        scan: (n,) index into the scan list, -1 for a scan that is not listed.
        scan_name: Name of the scan in the file.
        centre_world_mm: (n, 3) x, y, z in LPS mm.
        score: (n,) higher is more suspicious.
        row_number: Line in the file, counted from 1.
    """

    scan: NDArray[np.intp]
    scan_name: Sequence[str]
    centre_world_mm: NDArray[np.float64]
    score: NDArray[np.float64]
    row_number: Sequence[int]

    def select(self, chosen: NDArray[np.bool_]) -> Predictions:
        """Returns the chosen predictions."""
        indices = np.flatnonzero(chosen).tolist()
        return Predictions(
            scan=self.scan[indices],
            scan_name=[self.scan_name[i] for i in indices],
            centre_world_mm=self.centre_world_mm[indices],
            score=self.score[indices],
            row_number=[self.row_number[i] for i in indices],
        )


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """Acquisition and geometry of each listed scan; NaN or an empty string where unknown.

    Attributes:
        slice_thickness_mm: (scans,) nominal slice thickness.
        scanner: Manufacturer and model of each scan.
        origin_world_mm: (scans, 3) centre of the first voxel in LPS mm.
        spacing_mm: (scans, 3) voxel spacing along x, y, z.
    """

    slice_thickness_mm: NDArray[np.float64]
    scanner: Sequence[str]
    origin_world_mm: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]


def read_scan_list(path: Path, ids: Path | None = None) -> ScanList:
    """Reads the scan list: one identifier a row, or a number and an identifier.

    Args:
        path: Table of the scans that count.
        ids: Another table of numbers and identifiers, for submissions that name scans by number.

    Returns:
        The listed scans and their numbers.

    Raises:
        UsageError: The list is empty or names a scan twice, or `ids` has no numbers.
    """
    uids, numbers = _read_uids(path)
    if not uids:
        msg = f"{path}: must list at least one scan, got none"
        raise UsageError(msg)
    if len(set(uids)) < len(uids):
        twice = next(uid for i, uid in enumerate(uids) if uid in uids[:i])
        msg = f"{path}: must list each scan once, got {twice} twice"
        raise UsageError(msg)
    return ScanList(uids=uids, uid_of_number=numbers if ids is None else _read_numbers(ids))


def scans_named_in(tables: Iterable[Path], ids: Path | None = None) -> ScanList:
    """Makes a scan list of the scans that some tables name, for data sets without one.

    Args:
        tables: Tables of findings or predictions.
        ids: Table of numbers and identifiers, for tables that name scans by number.

    Returns:
        Every named scan once, in the order of first mention.

    Raises:
        UsageError: A table cannot be read, none names a scan, or `ids` has no numbers.
    """
    tables = list(tables)
    numbers = {} if ids is None else _read_numbers(ids)
    names = (
        name for path in tables for name in read_table(path, _SERIES_OR_ID).columns["seriesuid"]
    )
    uids = tuple(dict.fromkeys(_resolved(name, numbers) for name in names))
    if not uids:
        msg = f"{', '.join(map(str, tables))}: must name at least one scan, got none"
        raise UsageError(msg)
    return ScanList(uids=uids, uid_of_number=numbers)


def read_findings(path: Path, scans: ScanList) -> Findings:
    """Reads ``seriesuid,coordX,coordY,coordZ,diameter_mm``.

    Args:
        path: Table of findings, coordinates in LPS mm.
        scans: Scan list; findings on other scans are dropped.

    Returns:
        The findings on listed scans.

    Raises:
        UsageError: The table cannot be read, or a cell is not a finite number.
    """
    diameter: Aliases = {"diameter_mm": ("diameter", "d_mm")}
    table = read_table(path, {**_SERIES_OR_ID, **_CENTRE, **diameter})
    scan = scans.indices(table.columns["seriesuid"])
    listed = scan >= 0
    centres = np.stack([table.finite_numbers(axis) for axis in _CENTRE], axis=1)
    return Findings(scan[listed], centres[listed], table.finite_numbers("diameter_mm")[listed])


def no_findings() -> Findings:
    """Returns an empty table of findings."""
    return Findings(np.zeros(0, np.intp), np.zeros((0, 3)), np.zeros(0))


def read_predictions(path: Path, scans: ScanList) -> Predictions:
    """Reads every row of ``seriesuid,coordX,coordY,coordZ,probability``.

    Args:
        path: Table of predictions, coordinates in LPS mm.
        scans: Scan list; rows on other scans are kept, with scan index -1.

    Returns:
        The predictions in the order of the file.

    Raises:
        UsageError: A cell is not a number, or no row is on a listed scan.
    """
    score: Aliases = {"probability": ("score", "prob", "p", "cadprobability")}
    table = read_table(path, {**_SERIES_OR_ID, **_CENTRE, **score})
    names = table.columns["seriesuid"]
    scan = scans.indices(names)
    if len(table) and not (scan >= 0).any():
        advice = (
            "pass the table that maps numbers to scans (--ids)"
            if all(map(_is_number, names))
            else "check that both files name scans in the same way"
        )
        msg = (
            f"{path}, row {table.row_numbers[0]}, column seriesuid: must name scans of the list, "
            f"such as {scans.uids[0]!r}, got {names[0]!r}; {advice}"
        )
        raise UsageError(msg)
    centres = np.stack([table.numbers(axis) for axis in _CENTRE], axis=1)
    return Predictions(scan, names, centres, table.numbers("probability"), table.row_numbers)


def read_scan_facts(path: Path, scans: ScanList) -> ScanFacts:
    """Reads facts about the scans; empty cells, missing columns and missing scans are unknown.

    Args:
        path: Table with a header: ``seriesuid`` and any of ``slice_thickness_mm``, ``scanner``,
            ``origin_x_mm`` (y, z; LPS) and ``spacing_x_mm`` (y, z).
        scans: Scan list that gives the order of the result.

    Returns:
        The facts, one entry for each listed scan.

    Raises:
        UsageError: The table cannot be read, or a cell is not a number.
    """
    axes = [f"{name}_{axis}_mm" for name in ("origin", "spacing") for axis in "xyz"]
    optional: Aliases = {"slice_thickness_mm": ("slice_thickness",), "scanner": ("model",)}
    table = read_table(path, _SERIES, {**optional, **dict.fromkeys(axes, ())})
    scan = scans.indices(table.columns["seriesuid"])
    scanner = [""] * len(scans.uids)
    for index, name in zip(scan, table.columns.get("scanner", ()), strict=False):
        if index >= 0:
            scanner[index] = name
    thickness, *coordinates = (
        _numbers_by_scan(table, name, scan, len(scans.uids))
        for name in ("slice_thickness_mm", *axes)
    )
    return ScanFacts(thickness, scanner, np.stack(coordinates[:3], 1), np.stack(coordinates[3:], 1))


def _numbers_by_scan(
    table: Table, column: str, scan: NDArray[np.intp], scans: int
) -> NDArray[np.float64]:
    """Returns (scans,) the numbers of a column; NaN for empty cells and a missing column."""
    values = np.full(scans, np.nan)
    if column in table.columns:
        cells = [cell or "nan" for cell in table.columns[column]]
        filled = Table(table.path, {column: cells}, table.row_numbers).numbers(column)
        values[scan[scan >= 0]] = filled[scan >= 0]
    return values


def _resolved(name: str, uid_of_number: Mapping[int, str]) -> str:
    """Returns the scan that a number stands for; any other name as it is."""
    return uid_of_number.get(int(name), name) if _is_number(name) else name


def _is_number(cell: str) -> bool:
    """Whether a cell counts scans: digits alone, and no more than a number needs."""
    return cell.isdecimal() and len(cell) <= MAX_DIGITS


def _read_numbers(ids: Path) -> dict[int, str]:
    _, numbers = _read_uids(ids)
    if not numbers:
        msg = f"{ids}: must have two columns, a number and the scan that it stands for"
        raise UsageError(msg)
    return numbers


def _read_uids(path: Path) -> tuple[tuple[str, ...], dict[int, str]]:
    """Reads identifiers, and numbers where the other column, on either side, holds integers."""
    table = read_table(path, _SERIES, _ID)
    uids = table.columns["seriesuid"]
    numbers = table.columns.get("id")
    if numbers is None:
        return tuple(uids), {}
    if all(map(_is_number, uids)) and not all(map(_is_number, numbers)):
        uids, numbers = numbers, uids
    if not all(map(_is_number, numbers)):
        return tuple(uids), {}
    return tuple(uids), {int(n): uid for n, uid in zip(numbers, uids, strict=True)}
