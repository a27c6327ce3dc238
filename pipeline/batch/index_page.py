"""index.html: the run at a glance, with a link to every report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.batch.csv_tables import FINDINGS_CSV, LUNA16_CSV, WORKLIST_CSV
from hounsfield.pipeline.batch.ledger import LEDGER_NAME
from hounsfield.pipeline.report.schema import RESEARCH_CLASSES, RESEARCH_USE
from hounsfield.pipeline.report.templating import render_template
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hounsfield.pipeline.batch.csv_tables import WorklistRow

INDEX_HTML = "index.html"
MAX_INDEX_ROWS = 1000
"""A browser is slow with more rows; worklist.csv holds all of them."""


def write_index(
    out: Path, worklist: Sequence[WorklistRow], counts: Mapping[tuple[str, str], int]
) -> Path:
    """Write index.html atomically.

    Args:
        out: Output folder of the run; the page links to its tables and reports.
        worklist: Rows of worklist.csv, highest score first; the first `MAX_INDEX_ROWS` are shown.
        counts: Number of series and files by (verdict, reason).

    Returns:
        The path of the page.

    Raises:
        OutputError: The page cannot be written.
    """
    page = render_template(
        "report/templates/index.html.jinja",
        counts=counts,
        rows=worklist[:MAX_INDEX_ROWS],
        hidden=max(0, len(worklist) - MAX_INDEX_ROWS),
        files=(WORKLIST_CSV, FINDINGS_CSV, LUNA16_CSV, LEDGER_NAME),
        research_use=RESEARCH_USE,
        research_classes=RESEARCH_CLASSES,
    )
    with atomic_file(out / INDEX_HTML) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return out / INDEX_HTML
