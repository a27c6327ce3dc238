"""A user's own CT series: a CSV that names them and lists what is known to lie in them."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hounsfield.data.phantom.nodule_spec import HISTOLOGIES
from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.splits import FOLDS
from hounsfield.data.readers.dataset import DatasetContents, ExcludedCase, usable_ct
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume

KNOWN_HISTOLOGIES = (*HISTOLOGIES, "small_cell_carcinoma")

Rating = float | None


class TableRow(BaseModel):
    """One finding, or a series without any: a row whose place is empty.

    Attributes:
        path: Of the series: a file, or a folder that holds no other CT; from the table's folder.
        fold: From 0; by the patient where it is empty.
        x_mm: The place is in LPS mm.
        ignored: Neither a nodule to find nor a place to call empty.
        remark: For people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1)
    patient_id: str = Field(min_length=1)
    fold: int | None = Field(default=None, ge=0, lt=FOLDS)
    x_mm: float | None = Field(allow_inf_nan=False)
    y_mm: float | None = Field(allow_inf_nan=False)
    z_mm: float | None = Field(allow_inf_nan=False)
    diameter_mm: float | None = Field(gt=0, allow_inf_nan=False)
    ignored: bool | None = None
    histology: str | None = None
    malignancy: Rating = Field(default=None, ge=1, le=5)
    texture: Rating = Field(default=None, ge=1, le=5)
    spiculation: Rating = Field(default=None, ge=1, le=5)
    calcification: Rating = Field(default=None, ge=1, le=6)
    remark: str | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, cell: object) -> object:
        return (cell.strip() or None) if isinstance(cell, str) else cell

    @field_validator("histology")
    @classmethod
    def _known(cls, cell: str | None) -> str | None:
        if cell is not None and cell not in KNOWN_HISTOLOGIES:
            msg = f"must be one of {', '.join(KNOWN_HISTOLOGIES)} or empty, got {cell!r}"
            raise ValueError(msg)
        return cell

    def finding(self) -> KnownFinding | None:
        """What the row tells of; None where it tells that there is nothing.

        Raises:
            ValueError: A part of the place or the diameter is missing.
        """
        place = (self.x_mm, self.y_mm, self.z_mm, self.diameter_mm)
        if all(value is None for value in place):
            return None
        x, y, z, diameter_mm = place
        if x is None or y is None or z is None or diameter_mm is None:
            msg = "x_mm, y_mm, z_mm and diameter_mm must be all there, or all empty"
            raise ValueError(msg)
        return KnownFinding(
            (x, y, z),
            diameter_mm,
            ignored=bool(self.ignored),
            histology=self.histology or "",
            malignancy=self.malignancy,
            texture=self.texture,
            spiculation=self.spiculation,
            calcification=self.calcification,
        )


@dataclass(frozen=True, slots=True)
class _ListedSeries:
    """All rows of one path, with the line of each finding.

    Attributes:
        where: The table and the line that the path is first named on.
    """

    where: str
    path: Path
    patient_id: str
    fold: int | None
    findings: tuple[tuple[str, KnownFinding], ...]

    def labels(self, volume: Volume) -> Labels:
        """The findings, once each is seen to lie in the series.

        Raises:
            SeriesError: One lies outside.
        """
        for where, finding in self.findings:
            voxel_zyx = volume.voxel_xyz(finding.centre_world_mm)[::-1]
            if np.any(voxel_zyx < -0.5) or np.any(voxel_zyx > np.subtract(volume.shape_zyx, 0.5)):
                msg = (
                    f"{where}: {finding.centre_world_mm} mm lies outside the series; places are "
                    "in LPS mm (x to the left, y to the back, z to the head)"
                )
                raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
        return Labels(tuple(finding for _, finding in self.findings))

    def labelled(self, series: Series) -> LabelledSeries:
        told = repr([finding for _, finding in self.findings])
        fingerprint = hashlib.sha256(told.encode()).hexdigest()
        return LabelledSeries(series, self.patient_id, self.labels, fingerprint, self.fold)


def read_ct_table(table: Path) -> DatasetContents:
    """Reads the table and finds its series; a path without one usable series is left out.

    Raises:
        UsageError: A column or cell is wrong, rows of one path do not agree, or two paths hold
            one series. It names the line.
    """
    cases: list[LabelledSeries] = []
    left_out: list[ExcludedCase] = []
    where_of: dict[str, str] = {}
    for listed in _listed_series(table):
        usable = usable_ct(discover([listed.path]))[0] if listed.path.exists() else []
        if len(usable) != 1:
            msg = (
                f"{listed.where}: {listed.path} must hold one usable CT series, but "
                f"{f'holds {len(usable)}' if listed.path.exists() else 'is not there'}"
            )
            left_out.append(
                ExcludedCase(
                    name=str(listed.path), reason="series_missing", message=msg, failed=True
                )
            )
            continue
        case = listed.labelled(usable[0])
        if case.series_uid in where_of:
            msg = (
                f"{listed.where}: {listed.path} holds the series {case.series_uid}, as does the "
                f"path of {where_of[case.series_uid]}; each series must be under one path (and "
                "files that are no DICOM be named differently)"
            )
            raise UsageError(msg)
        where_of[case.series_uid] = listed.where
        cases.append(case)
    return DatasetContents(cases, left_out)


def _listed_series(table: Path) -> list[_ListedSeries]:
    """The rows of each path together, in the order of the table."""
    found: dict[Path, _ListedSeries] = {}
    for where, row in _rows(table):
        path = (table.parent / row.path).resolve()
        try:
            finding = row.finding()
        except ValueError as error:
            msg = f"{where}: {error}"
            raise UsageError(msg) from error
        new = () if finding is None else ((where, finding),)
        known = found.get(path)
        if known is None:
            found[path] = _ListedSeries(where, path, row.patient_id, row.fold, new)
            continue
        if (known.patient_id, known.fold) != (row.patient_id, row.fold):
            msg = f"{where}: patient_id and fold must be those of {known.where}, of the same path"
            raise UsageError(msg)
        if finding is None or not known.findings:
            msg = f"{where}: a series without findings must have one row, but has two or more"
            raise UsageError(msg)
        found[path] = _ListedSeries(
            known.where, path, known.patient_id, known.fold, known.findings + new
        )
    return list(found.values())


def _rows(table: Path) -> list[tuple[str, TableRow]]:
    """Each row with its place, as messages name it."""
    rows = []
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            for number, cells in enumerate(
                csv.DictReader(stream, restkey="a cell too many", strict=True), start=2
            ):
                where = f"{table}, line {number}"
                rows.append((where, TableRow.model_validate(cells)))
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(map(str, first["loc"]))
        msg = f"{where}: {column}: {first['msg']}"
        raise UsageError(msg) from error
    except (csv.Error, UnicodeDecodeError) as error:
        msg = f"{table} is not a comma-separated table: {error}"
        raise UsageError(msg) from error
    return rows
