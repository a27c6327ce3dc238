"""The tables of LUNA16 and of challenges like it: scan list, findings, marks, series facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.tables import Aliases, Table, read_table
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_SERIES: Aliases = {"seriesuid": ("series_uid", "series", "uid", "scan")}
_ID: Aliases = {"id": ("number", "index", "seriesid", "series_id")}
_PLACE: Aliases = {
    "coordX": ("x", "x_mm", "coord_x"),
    "coordY": ("y", "y_mm", "coord_y"),
    "coordZ": ("z", "z_mm", "coord_z"),
}
_MARK_SERIES: Aliases = {"seriesuid": (*_SERIES["seriesuid"], *_ID["id"], "id")}


@dataclass(frozen=True, slots=True)
class ScanList:
    """The scans by which false positives are divided.

    Attributes:
        uids: Every listed scan once, in the file's order.
        uid_of_number: The scan that a number stands for, where a list says so.
    """

    uids: tuple[str, ...]
    uid_of_number: Mapping[int, str]

    def indices(self, names: Sequence[str]) -> NDArray[np.intp]:
        """Returns each named scan's place in the list, -1 where it is not listed."""
        place: dict[str, int] = {uid: i for i, uid in enumerate(self.uids)}
        for name in set(names) - place.keys():
            if name.isdecimal() and int(name) in self.uid_of_number:
                place[name] = place.get(self.uid_of_number[int(name)], -1)
        return np.array([place.get(name, -1) for name in names], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Findings:
    """Nodules, or excluded findings, on listed scans.

    Attributes:
        scan: (n,) index into the scan list.
        centre_world_mm: (n, 3) x, y, z in LPS mm.
        diameter_mm: (n,) as in the file; negative where it is not known.
    """

    scan: NDArray[np.intp]
    centre_world_mm: NDArray[np.float64]
    diameter_mm: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Marks:
    """A submission, as it stands in its file.

    Attributes:
        scan: (n,) index into the scan list, -1 for a scan that is not listed.
        scan_name: What the file calls the scan.
        centre_world_mm: (n, 3) x, y, z in LPS mm.
        score: (n,) higher is more suspicious.
        row_number: The line in the file.
    """

    scan: NDArray[np.intp]
    scan_name: Sequence[str]
    centre_world_mm: NDArray[np.float64]
    score: NDArray[np.float64]
    row_number: Sequence[int]

    def of(self, chosen: NDArray[np.bool_]) -> Marks:
        """Returns the chosen marks."""
        places = np.flatnonzero(chosen).tolist()
        return Marks(
            scan=self.scan[places],
            scan_name=[self.scan_name[i] for i in places],
            centre_world_mm=self.centre_world_mm[places],
            score=self.score[places],
            row_number=[self.row_number[i] for i in places],
        )


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """What is known of each listed scan; NaN or an empty string where it is not.

    Attributes:
        slice_thickness_mm: (scans,).
        scanner: Manufacturer and model.
        origin_world_mm: (scans, 3) LPS mm of the first voxel's centre.
        spacing_mm: (scans, 3) x, y, z.
    """

    slice_thickness_mm: NDArray[np.float64]
    scanner: Sequence[str]
    origin_world_mm: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]


def read_scan_list(path: Path, ids: Path | None = None) -> ScanList:
    """Reads the scan list: one identifier a row, or a number and an identifier.

    Args:
        path: The list.
        ids: Another table of numbers and identifiers, for submissions that name scans by number.

    Raises:
        UsageError: The list is empty, or names a scan twice.
    """
    uids, numbers = _read_uids(path)
    if not uids:
        msg = f"{path}: must list at least one scan, got none"
        raise UsageError(msg)
    if len(set(uids)) < len(uids):
        twice = next(uid for i, uid in enumerate(uids) if uid in uids[:i])
        msg = f"{path}: must list each scan once, got {twice} twice"
        raise UsageError(msg)
    if ids is not None:
        _, numbers = _read_uids(ids)
        if not numbers:
            msg = f"{ids}: must have two columns, a number and the scan that it stands for"
            raise UsageError(msg)
    return ScanList(uids=uids, uid_of_number=numbers)


def read_findings(path: Path, scans: ScanList) -> Findings:
    """Reads ``seriesuid,coordX,coordY,coordZ,diameter_mm``; unlisted scans are left out."""
    diameter: Aliases = {"diameter_mm": ("diameter", "d_mm")}
    table = read_table(path, {**_MARK_SERIES, **_PLACE, **diameter})
    scan = scans.indices(table.columns["seriesuid"])
    listed = scan >= 0
    centres = np.stack([table.finite_numbers(axis) for axis in _PLACE], axis=1)
    return Findings(scan[listed], centres[listed], table.finite_numbers("diameter_mm")[listed])


def no_findings() -> Findings:
    """Returns an empty table of findings."""
    return Findings(np.zeros(0, np.intp), np.zeros((0, 3)), np.zeros(0))


def read_predictions(path: Path, scans: ScanList) -> Marks:
    """Reads ``seriesuid,coordX,coordY,coordZ,probability``, every row of it.

    Raises:
        UsageError: A cell is no number, or no row is on a listed scan.
    """
    score: Aliases = {"probability": ("score", "prob", "p", "cadprobability")}
    table = read_table(path, {**_MARK_SERIES, **_PLACE, **score})
    names = table.columns["seriesuid"]
    scan = scans.indices(names)
    if len(table) and not (scan >= 0).any():
        advice = (
            "give the list that maps numbers to scans (--ids)"
            if all(name.isdecimal() for name in names)
            else "check that both files name scans in the same way"
        )
        msg = (
            f"{path}, row {table.row_numbers[0]}, column seriesuid: must name scans of the list, "
            f"such as {scans.uids[0]!r}, got {names[0]!r}; {advice}"
        )
        raise UsageError(msg)
    centres = np.stack([table.numbers(axis) for axis in _PLACE], axis=1)
    return Marks(scan, names, centres, table.numbers("probability"), table.row_numbers)


def read_series_facts(path: Path, scans: ScanList) -> SeriesFacts:
    """Reads what is known of the scans: a header, and any of the columns of `SeriesFacts`.

    The columns are ``seriesuid``, ``slice_thickness_mm``, ``scanner``, ``origin_x_mm`` (y, z) and
    ``spacing_x_mm`` (y, z). Empty cells, missing columns and missing scans are unknown.
    """
    axes = [f"{what}_{axis}_mm" for what in ("origin", "spacing") for axis in "xyz"]
    optional: Aliases = {"slice_thickness_mm": ("slice_thickness",), "scanner": ("model",)}
    table = read_table(path, _SERIES, {**optional, **dict.fromkeys(axes, ())})
    scan = scans.indices(table.columns["seriesuid"])
    scanner = [""] * len(scans.uids)
    for place, name in zip(scan, table.columns.get("scanner", ()), strict=False):
        if place >= 0:
            scanner[place] = name
    thickness, *places = (
        _facts_column(table, name, scan, len(scans.uids)) for name in ("slice_thickness_mm", *axes)
    )
    return SeriesFacts(thickness, scanner, np.stack(places[:3], 1), np.stack(places[3:], 1))


def _facts_column(
    table: Table, column: str, scan: NDArray[np.intp], scans: int
) -> NDArray[np.float64]:
    values = np.full(scans, np.nan)
    if column in table.columns:
        cells = [cell or "nan" for cell in table.columns[column]]
        filled = Table(table.path, {column: cells}, table.row_numbers).numbers(column)
        values[scan[scan >= 0]] = filled[scan >= 0]
    return values


def _read_uids(path: Path) -> tuple[tuple[str, ...], dict[int, str]]:
    """Reads identifiers, and numbers where a second column, on either side, is whole numbers."""
    table = read_table(path, _SERIES, _ID)
    uids = table.columns["seriesuid"]
    numbers = table.columns.get("id")
    if numbers is None:
        return tuple(uids), {}
    if all(uid.isdecimal() for uid in uids) and not all(n.isdecimal() for n in numbers):
        uids, numbers = numbers, uids
    if not all(number.isdecimal() for number in numbers):
        return tuple(uids), {}
    return tuple(uids), {int(n): uid for n, uid in zip(numbers, uids, strict=True)}
