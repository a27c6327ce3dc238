"""Progress, result lines and exit code of ``hounsfield prepare``."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hounsfield.data.prepared.preparation import prepare
from hounsfield.pipeline.errors import ExitCode, writing_to

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.data.prepared.folder import PreparationReport

_SENTENCES_A_REASON = 3
"""So many excluded cases are printed for each reason; ``preparation.json`` lists all."""


def prepare_dataset(
    dataset: str, source: Path, out: Path, *, include_held_out: bool, quiet: bool
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
            include_held_out=include_held_out,
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
    for one in report.left_out:
        by_reason[one.reason].append(one.message)
    for reason, messages in by_reason.items():
        lines.append(f"left out, {reason}: {len(messages)}")
        lines += [f"  {message}" for message in messages[:_SENTENCES_A_REASON]]
        if len(messages) > _SENTENCES_A_REASON:
            lines.append(f"  and {len(messages) - _SENTENCES_A_REASON} more in preparation.json")
    return lines


def exit_code(report: PreparationReport) -> ExitCode:
    """What the command ends with."""
    if not report.prepared + report.kept:
        return ExitCode.NOTHING_TO_ANALYSE
    return ExitCode.SOME_FAILED if report.failed else ExitCode.DONE
