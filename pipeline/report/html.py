"""report.html: one file with its pictures inside, no script, no link out."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from hounsfield.models.findings import HIGH_ABOVE, REVIEW_FROM, ConfidenceBand
from hounsfield.pipeline.assessment.population import age_in_words
from hounsfield.pipeline.report.filenames import KEY_PICTURE
from hounsfield.pipeline.report.headline import headline
from hounsfield.pipeline.report.labels import (
    MALIGNANCY_NOTE,
    measurement_rows,
    measurement_text,
)
from hounsfield.pipeline.report.schema import RESEARCH_CLASSES, RESEARCH_USE
from hounsfield.pipeline.report.templating import render_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hounsfield.pipeline.report.schema import FindingDocument, Report, RiskDocument

_BANDS = {
    ConfidenceBand.HIGH: f"largest above {HIGH_ABOVE:.2f}",
    ConfidenceBand.REVIEW: f"largest from {REVIEW_FROM:.2f} to {HIGH_ABOVE:.2f}",
    ConfidenceBand.UNCERTAIN: f"largest below {REVIEW_FROM:.2f}",
    ConfidenceBand.OUT_OF_DISTRIBUTION: "unlike the training data",
}


def report_page(report: Report, pictures: Mapping[str, bytes], *, shown: int | None) -> str:
    """Render report.html.

    Args:
        report: The document, with the names of its pictures.
        pictures: PNG files by name: `KEY_PICTURE` and every picture that the document names.
        shown: Number, from 1, of the finding through which the key image's slice goes; None where
            it goes through the middle of the lungs.

    Returns:
        The page as text, to be written as UTF-8.
    """
    return render_template(
        "report/templates/report.html.jinja",
        report=report,
        pictures={name: _data_url(content) for name, content in pictures.items()},
        key_picture=KEY_PICTURE,
        headline=headline(report),
        shown=shown,
        bands=_BANDS,
        malignancy_note=MALIGNANCY_NOTE,
        measurements_of=_measurements_of,
        measurement_rows=measurement_rows,
        measurement_text=measurement_text,
        risk_text=_risk_text,
        age_in_words=age_in_words,
        research_use=RESEARCH_USE,
        research_classes=RESEARCH_CLASSES,
    )


def _measurements_of(finding: FindingDocument) -> dict[str, float | str]:
    """The measurements of a finding, with its malignancy rating where it was rated."""
    if finding.malignancy is None:
        return finding.measurements
    return finding.measurements | {"malignancy": finding.malignancy}


def _risk_text(risk: RiskDocument) -> str:
    """A probability of cancer, or its range where an input of the model is missing."""
    if risk.missing:
        return f"{risk.lower:.1%} to {risk.upper:.1%}"
    return f"{risk.lower:.1%}"


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
