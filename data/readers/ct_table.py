"""A user's own CT series: a CSV that names them and lists their findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from hounsfield.data.phantom.nodules.spec import HISTOLOGIES
from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.fingerprints import findings_sha256
from hounsfield.data.prepared.splits import FOLDS
from hounsfield.data.readers.dataset import DatasetContents, usable_ct
from hounsfield.data.readers.label_checks import label_fault
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.documents import Strict, validated
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.files.delimited import read_rows
from hounsfield.preprocessing.printable import file_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume

KNOWN_HISTOLOGIES = (*HISTOLOGIES, "small_cell_carcinoma")

Rating = float | None


class TableRow(Strict):
    """One finding; or a series without any, where position and diameter are empty.

    Attributes:
        path: The series: a file, or a folder with no other CT, relative to the table's folder.
        patient_id: The split keeps all series of a patient in one fold.
        fold: Number of the fold, from 0; derived from the patient where it is empty.
        x_mm: Position in LPS mm, like `y_mm` and `z_mm`.
        diameter_mm: Diameter of the sphere of the finding's volume.
        ignored: 1 for a finding that is neither a nodule to find nor an empty place.
        histology: One of `KNOWN_HISTOLOGIES`, or empty.
        malignancy: Rating, 1 to 5, or empty; `texture` and `spiculation` likewise.
        calcification: Rating, 1 to 6, or empty.
        remark: Free text, not read.
    """

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
        """Converts the row; None where the series has no findings.

        Raises:
            ValueError: Only some of position and diameter are empty.
        """
        sphere = (self.x_mm, self.y_mm, self.z_mm, self.diameter_mm)
        if all(value is None for value in sphere):
            return None
        x, y, z, diameter_mm = sphere
        if x is None or y is None or z is None or diameter_mm is None:
            msg = "x_mm, y_mm, z_mm and diameter_mm must be all filled, or all empty"
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
    """All rows of one path, with the row of each finding.

    Attributes:
        where: The table and the first row of the path.
    """

    where: str
    path: Path
    patient_id: str
    fold: int | None
    findings: tuple[tuple[str, KnownFinding], ...]

    def labels(self, volume: Volume) -> Labels:
        """Gives the findings, after a check that each lies in the series.

        Raises:
            SeriesError: One lies outside, or is larger than the series.
        """
        for where, finding in self.findings:
            if fault := label_fault(finding, volume):
                raise SeriesError(Reason.INCONSISTENT_GEOMETRY, f"{file_name(where)}: {fault}")
        return Labels(tuple(finding for _, finding in self.findings))

    def labelled(self, series: Series) -> LabelledSeries:
        fingerprint = findings_sha256([finding for _, finding in self.findings])
        return LabelledSeries(series, self.patient_id, self.labels, fingerprint, self.fold)


def read_ct_table(table: Path) -> DatasetContents:
    """Reads the table and finds its series.

    Args:
        table: A comma or tab separated file with the columns of `TableRow`.

    Returns:
        One case per path; a path without exactly one usable series is excluded.

    Raises:
        UsageError: A column or cell is wrong, rows of one path do not agree, or two paths hold
            the same series. The message names the row.
    """
    cases: list[LabelledSeries] = []
    excluded: list[ExcludedCase] = []
    row_of: dict[str, str] = {}
    for listed in _listed_series(table):
        usable = usable_ct(discover([listed.path]))[0] if listed.path.exists() else []
        if len(usable) != 1:
            msg = (
                f"{listed.where}: {listed.path} must hold one usable CT series, but "
                f"{f'holds {len(usable)}' if listed.path.exists() else 'is missing'}"
            )
            excluded.append(
                ExcludedCase(
                    name=str(listed.path), reason="series_missing", message=msg, failed=True
                )
            )
            continue
        case = listed.labelled(usable[0])
        if case.series_uid in row_of:
            msg = (
                f"{listed.where}: {listed.path} holds the series {case.series_uid}, as does the "
                f"path of {row_of[case.series_uid]}; each series must be under one path (and "
                "files that are no DICOM be named differently)"
            )
            raise UsageError(msg)
        row_of[case.series_uid] = listed.where
        cases.append(case)
    return DatasetContents(cases, excluded)


def _listed_series(table: Path) -> list[_ListedSeries]:
    """Groups the rows by path, in the order of the table."""
    by_path: dict[Path, _ListedSeries] = {}
    for where, row in _rows(table):
        try:
            path = (table.parent / row.path).resolve()  # ValueError for a NUL byte
            finding = row.finding()
        except ValueError as error:
            msg = f"{where}: {error}"
            raise UsageError(msg) from error
        new = () if finding is None else ((where, finding),)
        first = by_path.get(path)
        if first is None:
            by_path[path] = _ListedSeries(where, path, row.patient_id, row.fold, new)
            continue
        if (first.patient_id, first.fold) != (row.patient_id, row.fold):
            msg = f"{where}: patient_id and fold must equal those of {first.where}, the same path"
            raise UsageError(msg)
        if finding is None or not first.findings:
            msg = f"{where}: a series without findings must have one row, but has two or more"
            raise UsageError(msg)
        for earlier, known in first.findings:
            if known.centre_world_mm == finding.centre_world_mm:
                msg = f"{where}: the finding of {earlier} is listed again; remove one of the rows"
                raise UsageError(msg)
        by_path[path] = replace(first, findings=first.findings + new)
    return list(by_path.values())


def _rows(table: Path) -> Iterator[tuple[str, TableRow]]:
    """Each row with its place in the table, for messages."""
    rows, numbers = read_rows(table)
    header = [name.strip() for name in rows[0]] if rows else []
    _check_header(table, header)
    for cells, number in zip(rows[1:], numbers[1:], strict=True):
        where = f"{table}, row {number}"
        if len(cells) > len(header):
            msg = (
                f"{where}: must have {len(header)} cells, got {len(cells)}; put cells that hold "
                "a separator in double quotes"
            )
            raise UsageError(msg)
        padded = [*cells, *[""] * (len(header) - len(cells))]
        yield where, validated(dict(zip(header, padded, strict=True)), TableRow, source=where)


def _check_header(table: Path, header: Sequence[str]) -> None:
    """Refuses unknown columns, so that no rating is lost to a misspelling."""
    fields = TableRow.model_fields
    absent = [name for name, field in fields.items() if field.is_required() and name not in header]
    unknown = [name for name in header if name not in fields]
    if absent or unknown:
        problem = f"lacks the column {absent[0]}" if absent else f"has the column {unknown[0]!r}"
        msg = f"{table}, row 1: {problem}; the columns are {', '.join(fields)}"
        raise UsageError(msg)
