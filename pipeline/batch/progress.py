"""Progress of a run: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bar,
)
from rich.text import Text

from hounsfield.preprocessing.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from hounsfield.pipeline.batch.ledger import Row
    from hounsfield.preprocessing.series import Series

_FILES_A_LINE = 10_000


class Progress:
    """Shows progress on standard error; standard output is left to the results.

    Args:
        quiet: Show nothing at all.
        verbose: Print a line for each series on a terminal too.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._verbose = verbose or not self._console.is_terminal
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        self._print(f"{sentence}.")

    def files_examined(self, files: int) -> None:
        """Print, every 10,000 files, how many files of the input were examined."""
        if files % _FILES_A_LINE == 0:
            self.say(f"{files} files examined")

    def reading(self, series: Series) -> None:
        """Print which series is read next."""
        self.say(f"Reading {series.path} {series.facts.series_description}".rstrip())

    @contextmanager
    def studies(self, total: int) -> Iterator[None]:
        """Show a bar while the studies are analysed."""
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("studies"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal or not total,
        )
        with self._bar:
            self._task = self._bar.add_task("Analysing", total=total)
            yield

    def study_done(self) -> None:
        """Advance the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)

    def series_done(self, row: Row) -> None:
        """Print the outcome of a series if verbose, and always a failure."""
        if not (self._verbose or row.verdict == "failed"):
            return
        what = f"{row.findings} findings" if row.folder else f"{row.reason}: {row.message}"
        line = f"{row.series_uid}  {row.verdict}  {row.seconds:.1f} s  {what}"
        self._print(line)

    def _print(self, line: str) -> None:
        """Print one line; a `Text` has neither markup nor emoji in it."""
        self._console.print(Text(printable_text(line)))
