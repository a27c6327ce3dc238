"""The HTML pages, made of the templates beside this file: one file each, no script, no link out."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hounsfield.models.contracts import HIGH_ABOVE, REVIEW_FROM, ConfidenceBand
from hounsfield.pipeline.batch.csv_tables import FINDINGS_CSV, LUNA16_CSV, WORKLIST_CSV
from hounsfield.pipeline.batch.ledger import LEDGER_NAME
from hounsfield.pipeline.batch.output_folder import atomic_file
from hounsfield.pipeline.report.labels import measurement_rows
from hounsfield.pipeline.report.schema import RESEARCH_CLASSES, RESEARCH_USE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hounsfield.pipeline.batch.csv_tables import WorklistRow
    from hounsfield.pipeline.report.schema import FindingDocument, Report, RiskDocument

INDEX_HTML = "index.html"
INDEX_ROWS = 1000
"""The index page shows so many studies; a browser is slow with more, and worklist.csv has all."""

_BANDS = {
    ConfidenceBand.HIGH: f"largest above {HIGH_ABOVE:.2f}",
    ConfidenceBand.REVIEW: f"largest from {REVIEW_FROM:.2f} to {HIGH_ABOVE:.2f}",
    ConfidenceBand.UNCERTAIN: f"largest below {REVIEW_FROM:.2f}",
    ConfidenceBand.OUT_OF_DISTRIBUTION: "unlike the training data",
}


def report_page(report: Report, pictures: Mapping[str, bytes]) -> str:
    """Makes report.html, with its pictures inside.

    Args:
        report: The document.
        pictures: PNG files by the names that stand in the document, and `KEY_PICTURE`.
    """
    return _render(
        "report.html.jinja",
        report=report,
        pictures={name: _data_url(content) for name, content in pictures.items()},
        lead=lead_sentence(report),
        decisive=_decisive(report),
        times=", ".join(
            f"{name} {seconds:.1f} s" for name, seconds in report.times.seconds.items()
        ),
        bands=_BANDS,
        review_from=REVIEW_FROM,
        high_above=HIGH_ABOVE,
    )


def lead_sentence(report: Report) -> str:
    """What was found, in one sentence: how many, and the one that decides the study's class."""
    decisive = _decisive(report)
    if decisive is None:
        return "No finding above the operating point."
    place = f"{decisive.location.lung} lung, {decisive.location.zone} zone"
    size = f"{decisive.diameter_mm:.1f} mm, {place}"
    if len(report.findings) == 1:
        return f"One finding: {size}."
    number = decisive.finding
    return f"{len(report.findings)} findings; the most suspicious is number {number}: {size}."


def _decisive(report: Report) -> FindingDocument | None:
    """The finding that decides the study's class; the first where a report gives no class."""
    if not report.findings:
        return None
    number = report.study_class.finding if report.study_class else None
    return next((one for one in report.findings if one.finding == number), report.findings[0])


def write_index(
    out: Path, worklist: Sequence[WorklistRow], counts: Mapping[tuple[str, str], int]
) -> Path:
    """Writes index.html, whole or not at all.

    Args:
        out: The output folder.
        worklist: Most urgent first.
        counts: Of series and files, by verdict and reason.

    Raises:
        OutputError: It cannot be written.
    """
    page = _render(
        "index.html.jinja",
        counts=counts,
        rows=worklist[:INDEX_ROWS],
        hidden=max(0, len(worklist) - INDEX_ROWS),
        files=(WORKLIST_CSV, FINDINGS_CSV, LUNA16_CSV, LEDGER_NAME),
    )
    with atomic_file(out / INDEX_HTML) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return out / INDEX_HTML


def _render(template: str, **values: Any) -> str:  # noqa: ANN401 - whatever a template shows
    environment = Environment(
        loader=PackageLoader("hounsfield.pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        words=_words, date=_date, measured=measurement_rows, probability=_probability
    )
    return environment.get_template(template).render(
        research_use=RESEARCH_USE, research_classes=RESEARCH_CLASSES, **values
    )


def _words(code: str) -> str:
    return code.replace("_", " ")


def _probability(risk: RiskDocument) -> str:
    """A probability of cancer, or the range of it."""
    if risk.missing:
        return f"{risk.min:.1%} to {risk.max:.1%}"
    return f"{risk.min:.1%}"


def _date(dicom_date: str) -> str:
    """20000131 as 2000-01-31; anything else as it is."""
    if len(dicom_date) != 8 or not dicom_date.isdigit():
        return dicom_date
    return f"{dicom_date[:4]}-{dicom_date[4:6]}-{dicom_date[6:]}"


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
