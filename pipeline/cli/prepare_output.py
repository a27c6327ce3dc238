"""What `hounsfield prepare` shows while it works, prints at the end, and ends with."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hounsfield.data.preparation import prepare
from hounsfield.pipeline.errors import ExitCode, writing_to

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.data.prepared.folder import PreparationReport

_SENTENCES_A_REASON = 3
"""How many things left out for one reason are printed; ``preparation.json`` names all."""


def prepare_dataset(
    dataset: str, source: Path, out: Path, *, held_out: str | None, quiet: bool
) -> PreparationReport:
    """Prepares a data set with a bar on a terminal.

    Raises:
        UsageError: As `prepare`.
        OutputError: `out` cannot be written.
    """
    console = Console(stderr=True, quiet=quiet)
    columns = (
        TextColumn("Preparing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("cases, left"),
        TimeRemainingColumn(),
    )
    with (
        writing_to(out),
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("", total=None)
        return prepare(
            dataset,
            source,
            out,
            held_out=held_out,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def report_lines(report: PreparationReport, out: Path) -> list[str]:
    """The counts, then what was left out, by reason, what failed first."""
    counts = (
        f"{report.prepared} cases prepared and {report.kept} kept in {out}: "
        f"{report.patients} patients, {report.nodules} findings, {report.ignored} places to ignore"
    )
    lines = [counts]
    by_reason = defaultdict(list)
    if report.replaced:
        lines.append(f"damaged and prepared again: {len(report.replaced)}")
        lines += [f"  {message}" for message in report.replaced[:_SENTENCES_A_REASON]]
    for case in report.excluded:
        by_reason[case.reason].append(case.message)
    for reason, messages in by_reason.items():
        lines.append(f"excluded, {reason}: {len(messages)}")
        lines += [f"  {message}" for message in messages[:_SENTENCES_A_REASON]]
        if len(messages) > _SENTENCES_A_REASON:
            lines.append(f"  and {len(messages) - _SENTENCES_A_REASON} more in preparation.json")
    return lines


def exit_code(report: PreparationReport) -> ExitCode:
    """What the command ends with."""
    if not report.prepared + report.kept:
        return ExitCode.NOTHING_TO_ANALYSE
    return ExitCode.SOME_FAILED if report.failed else ExitCode.DONE
