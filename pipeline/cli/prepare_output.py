"""Progress, result lines and exit code of ``hounsfield prepare``."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hounsfield.data.preparation import prepare
from hounsfield.pipeline.errors import ExitCode, writing_to
from hounsfield.preprocessing.printable import file_name

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.data.prepared.case_source import ExcludedCase
    from hounsfield.data.prepared.folder import PreparationReport

_SENTENCES_A_REASON = 3
"""So many cases are printed for each reason; ``preparation.json`` lists all."""


def prepare_dataset(
    dataset: str, source: Path, out: Path, *, held_out: str | None, quiet: bool
) -> PreparationReport:
    """Prepare a data set with a progress bar on a terminal.

    Args:
        dataset: Name of the data set, which tells how `source` is read.
        source: Folder of the download, or a file that lists what to prepare.
        out: Folder of the prepared cases, created if missing.
        held_out: Name or file of a list of held-out patients; None prepares every patient.
        quiet: Show no progress bar.

    Returns:
        Counts of prepared, kept and excluded cases.

    Raises:
        UsageError: The source is not what the data set looks like, or a file cannot be read.
        OutputError: The folder cannot be written.
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
    """Format the counts, then the excluded cases by reason.

    Args:
        report: Result of the preparation.
        out: Folder of the prepared cases.

    Returns:
        Lines to print.
    """
    counts = (
        f"{report.prepared} cases prepared and {report.kept} kept in {out}: "
        f"{report.patients} patients, {report.nodules} findings, {report.ignored} places to ignore"
    )
    lines = [counts]
    if not report.prepared + report.kept:
        lines.append("nothing was prepared: the source holds no case that can be used")
    elif not report.nodules:
        lines.append(
            "WARNING: no case has a finding that counts: these are negatives alone, from which no "
            "detector can learn; check the tables of the source if there should be some"
        )
    by_reason = defaultdict(list)
    if report.replaced:
        lines.append(f"damaged and prepared again: {len(report.replaced)}")
        lines += [f"  {message}" for message in report.replaced[:_SENTENCES_A_REASON]]
    for case in report.excluded:
        by_reason[case.reason].append(_sentence(case))
    for reason, messages in by_reason.items():
        lines.append(f"excluded, {reason}: {len(messages)}")
        lines += [f"  {message}" for message in messages[:_SENTENCES_A_REASON]]
        if len(messages) > _SENTENCES_A_REASON:
            lines.append(f"  and {len(messages) - _SENTENCES_A_REASON} more in preparation.json")
    return lines


def _sentence(case: ExcludedCase) -> str:
    """The message, led by the last part of the case's name unless it names the case itself."""
    name = file_name(case.name)
    return case.message if name in case.message else f"{name}: {case.message}"


def exit_code(report: PreparationReport) -> ExitCode:
    """Choose the exit code of a preparation.

    Args:
        report: Result of the preparation.

    Returns:
        `NOTHING_TO_ANALYSE` without a case, `SOME_FAILED` with failures, else `DONE`.
    """
    if not report.prepared + report.kept:
        return ExitCode.NOTHING_TO_ANALYSE
    return ExitCode.SOME_FAILED if report.failed else ExitCode.DONE
