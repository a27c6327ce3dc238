"""The tables of a run: findings, candidates in LUNA16's format, and the worklist."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

from hounsfield.models.findings import NoduleClass
from hounsfield.pipeline.batch.output_folder import content_suffix
from hounsfield.pipeline.report.filenames import REPORT_HTML, REPORT_JSON
from hounsfield.pipeline.report.schema import Report
from hounsfield.preprocessing.codes import Verdict
from hounsfield.preprocessing.documents import read_document
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file
from hounsfield.preprocessing.files.csv_files import csv_row_writer, read_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hounsfield.pipeline.batch.ledger import Ledger, Row
    from hounsfield.pipeline.report.schema import FindingDocument, StudyClassDocument

FINDINGS_CSV = "findings.csv"
WORKLIST_CSV = "worklist.csv"
LUNA16_CSV = "luna16_predictions.csv"

FINDINGS_COLUMNS = (
    "study_uid",
    "series_uid",
    "finding",
    "x_mm",
    "y_mm",
    "z_mm",
    "diameter_mm",
    "score",
    "class",
    *(f"p_{name.value}" for name in NoduleClass),
    "confidence_band",
    "malignancy",
    "lung",
    "zone",
    "volume_mm3",
    "texture",
    "lung_rads",
)
LUNA16_COLUMNS = ("seriesuid", "coordX", "coordY", "coordZ", "probability")
LUNG_RADS = "lung_rads_2022"


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """A series that was analysed, or that failed; its fields are the columns of worklist.csv."""

    study_uid: str
    series_uid: str
    patient_id: str
    study_date: str
    verdict: str
    reason: str
    findings: int | str
    highest_score: float | str
    largest_diameter_mm: float | str
    study_class: str
    p_adenocarcinoma: float | str
    p_large_cell_carcinoma: float | str
    p_squamous_cell_carcinoma: float | str
    p_normal: float | str
    confidence_band: str
    notices: str
    report: str

    @property
    def urgency(self) -> tuple[float, float, str, str]:
        """Sort key: highest score first, then largest finding; failures last."""
        failed = self.verdict == Verdict.FAILED
        score = -1.0 if failed else float(self.highest_score or 0.0)
        size = float(self.largest_diameter_mm or 0.0)
        return (-score, -size, self.study_uid, self.series_uid)


def write_tables(
    out: Path, ledger: Ledger, *, on_unreadable: Callable[[str], object]
) -> list[WorklistRow]:
    """Write findings.csv, luna16_predictions.csv and worklist.csv, each atomically.

    A report that cannot be read, such as one that an earlier version wrote for a study that is
    not in this run's input, stops nothing: its worklist row has empty cells for what is unknown.

    Args:
        out: Output folder of the run, which holds the reports.
        ledger: Its ledger, open for reading.
        on_unreadable: Told of each report that cannot be read, in one sentence without a full
            stop.

    Returns:
        The worklist, highest score first.

    Raises:
        OutputError: They cannot be written.
    """
    worklist: list[WorklistRow] = []
    with ExitStack() as stack:
        write_finding = _table(stack, out / FINDINGS_CSV, FINDINGS_COLUMNS)
        write_candidate = _table(stack, out / LUNA16_CSV, LUNA16_COLUMNS)
        for row in ledger.rows():
            if row.folder is None:
                if row.verdict == Verdict.FAILED and row.study_uid:
                    worklist.append(_failed(row))
                continue
            try:
                report = read_document(out / row.folder / REPORT_JSON, Report)
            except UsageError as error:
                on_unreadable(str(error))
                worklist.append(_unreadable(row))
                continue
            for finding in report.findings:
                cells = _finding_cells(finding, report)
                write_finding((*_uids(row), *cells))
            for candidate in report.candidates:
                write_candidate((_uids(row)[1], *candidate.centre_world_mm, candidate.score))
            worklist.append(_analysed(row, report))
    worklist.sort(key=lambda row: row.urgency)
    columns = tuple(field.name for field in fields(WorklistRow))
    with ExitStack() as stack:
        write_row = _table(stack, out / WORKLIST_CSV, columns)
        for entry in worklist:
            write_row(astuple(entry))
    return worklist


def read_findings(out: Path) -> Iterator[dict[str, str]]:
    """Read findings.csv.

    Args:
        out: Output folder of a run.

    Yields:
        Each row as text by column.
    """
    yield from read_csv(out / FINDINGS_CSV)


def read_worklist(out: Path) -> Iterator[dict[str, str]]:
    """Read worklist.csv.

    Args:
        out: Output folder of a run.

    Yields:
        Each row as text by column.
    """
    yield from read_csv(out / WORKLIST_CSV)


def _table(
    stack: ExitStack, path: Path, columns: tuple[str, ...]
) -> Callable[[tuple[object, ...]], object]:
    """Open a table that appears when the stack ends without an error; return its row writer."""
    temporary = stack.enter_context(atomic_file(path))
    file = stack.enter_context(temporary.open("w", newline="", encoding="utf-8"))
    write = csv_row_writer(file)
    write(columns)
    return write


def _finding_cells(finding: FindingDocument, report: Report) -> tuple[object, ...]:
    """The cells after both identifiers."""
    categories = {
        guideline.name: guideline.findings[finding.finding - 1] for guideline in report.guidelines
    }
    return (
        finding.finding,
        *finding.centre_world_mm,
        finding.diameter_mm,
        finding.score,
        finding.likeliest_class.value,
        *(finding.class_probabilities[name] for name in NoduleClass),
        finding.confidence_band.value,
        "" if finding.malignancy is None else finding.malignancy,
        finding.location.lung.value,
        finding.location.zone.value,
        finding.measurements.get("volume_mm3", ""),
        finding.measurements.get("texture", ""),
        categories.get(LUNG_RADS, ""),
    )


def _uids(row: Row) -> tuple[str, str]:
    """Study and series, told apart from others that bear the same UIDs in this output folder."""
    suffix = content_suffix(row.content_id)
    is_told_apart = f"-{suffix}" in (row.folder or "").rpartition("/")[2]
    end = f"#{suffix}" if is_told_apart else ""
    return f"{row.study_uid}{end}", f"{row.series_uid}{end}"


def _analysed(row: Row, report: Report) -> WorklistRow:
    study_uid, series_uid = _uids(row)
    return WorklistRow(
        study_uid=study_uid,
        series_uid=series_uid,
        patient_id=report.series.patient_id,
        study_date=report.series.study_date,
        verdict=row.verdict,
        reason="",
        findings=len(report.findings),
        highest_score=max((finding.score for finding in report.findings), default=""),
        largest_diameter_mm=max((f.diameter_mm for f in report.findings), default=""),
        **_class_cells(report.study_class),
        notices=row.notices,
        report=f"{row.folder}/{REPORT_HTML}",
    )


def _class_cells(study_class: StudyClassDocument | None) -> dict[str, Any]:
    """The columns for the class of a study."""
    probabilities = (study_class and study_class.class_probabilities) or {}
    band = study_class and study_class.confidence_band
    return {
        "study_class": study_class.likeliest_class.value if study_class else "",
        **{f"p_{name.value}": probabilities.get(name, "") for name in NoduleClass},
        "confidence_band": band.value if band else "",
    }


def _failed(row: Row) -> WorklistRow:
    return _without_report(row, findings=0, report="")


def _unreadable(row: Row) -> WorklistRow:
    return _without_report(row, findings="", report=f"{row.folder}/{REPORT_HTML}")


def _without_report(row: Row, *, findings: int | str, report: str) -> WorklistRow:
    """A row of what the ledger alone knows."""
    study_uid, series_uid = _uids(row)
    return WorklistRow(
        study_uid=study_uid,
        series_uid=series_uid,
        patient_id="",
        study_date="",
        verdict=row.verdict,
        reason=row.reason,
        findings=findings,
        highest_score="",
        largest_diameter_mm="",
        **_class_cells(None),
        notices=row.notices,
        report=report,
    )
