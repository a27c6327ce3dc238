"""The result of ``hounsfield run`` on standard output: findings, counts, where the report is."""

from __future__ import annotations

import heapq
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hounsfield.pipeline.batch.csv_tables import read_findings, read_worklist
from hounsfield.pipeline.batch.index_page import INDEX_HTML
from hounsfield.pipeline.batch.run_document import RunDocument
from hounsfield.pipeline.cli.printing import print_document
from hounsfield.pipeline.errors import ExitCode
from hounsfield.pipeline.report.schema import RESEARCH_USE
from hounsfield.preprocessing.printable import printable_text

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.pipeline.batch.run_summary import RunSummary

_FILE_WIDTH = 120
MAX_FINDINGS = 20
"""The table shows so many, best score first; findings.csv has all."""


def print_run_summary(out: Path, summary: RunSummary) -> None:
    """Print the result of a run to standard output.

    Args:
        out: Output folder of the run.
        summary: Counts and failures of the run.
    """
    width = None if sys.stdout.isatty() else _FILE_WIDTH
    console = Console(highlight=False, soft_wrap=True, width=width)
    if summary.findings:
        console.print(_findings_table(out))
    for line in summary_lines(out, summary):
        console.print(Text(printable_text(line)))


def summary_lines(out: Path, summary: RunSummary) -> list[str]:
    """Format the counts, the failures and where the reports are.

    Args:
        out: Output folder of the run.
        summary: Counts and failures of the run.

    Returns:
        Lines to print.
    """
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(summary.verdicts.items()))
    reasons = ", ".join(f"{count} {reason}" for reason, count in summary.reasons.most_common())
    lines = []
    if summary.exit_code is ExitCode.NOTHING_TO_ANALYSE:
        lines.append(f"Nothing to analyse in the input{f' ({reasons})' if reasons else ''}.")
    else:
        lines.append(f"Series and files: {counts}{f' ({reasons})' if reasons else ''}.")
    lines += [f"Failed: {failure}" for failure in summary.failed]
    if summary.verdicts["failed"] > len(summary.failed):
        lines.append("More failed: see index.html and ledger.sqlite.")
    reports = [out / row["report"] for row in read_worklist(out) if row["report"]]
    if len(reports) == 1:
        lines.append(f"Report: {reports[0]}")
    lines.extend([f"All results: {out / INDEX_HTML}", RESEARCH_USE])
    return lines


def print_run_json(out: Path, summary: RunSummary) -> None:
    """Print the result of a run to standard output as one JSON object.

    Args:
        out: Output folder of the run.
        summary: Counts and failures of the run.
    """
    document = RunDocument(
        out=str(out),
        index=str(out / INDEX_HTML),
        studies=summary.studies,
        already_done=summary.already_done,
        findings=summary.findings,
        verdicts=dict(sorted(summary.verdicts.items())),
        reasons=dict(sorted(summary.reasons.items())),
        exit_code=int(summary.exit_code),
    )
    print_document(document.model_dump_json(indent=2))


def _findings_table(out: Path) -> Table:
    best = heapq.nlargest(MAX_FINDINGS, read_findings(out), key=lambda row: float(row["score"]))
    table = Table(
        title="Findings, best score first; classes come from research weights and are no diagnosis"
    )
    for name in ("series", "no."):
        table.add_column(name)
    for name in ("score", "mm", "x, y, z mm"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("location", "class", "confidence"):
        table.add_column(name)
    for row in best:
        cells = (
            _shortened(row["series_uid"]),
            row["finding"],
            f"{float(row['score']):.2f}",
            f"{float(row['diameter_mm']):.1f}",
            ", ".join(f"{float(row[axis]):.1f}" for axis in ("x_mm", "y_mm", "z_mm")),
            f"{row['lung']} lung, {row['zone']} zone",
            row["class"].replace("_", " "),
            row["confidence_band"],
        )
        table.add_row(*(Text(printable_text(cell)) for cell in cells))  # Text: no markup in it
    return table


def _shortened(uid: str, length: int = 12) -> str:
    return uid if len(uid) <= length else "…" + uid[-length:]
