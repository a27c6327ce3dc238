"""Options of a run that resumes, and the summary of its results."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import ExitCode
from hounsfield.preprocessing.codes import Verdict

if TYPE_CHECKING:
    from hounsfield.pipeline.batch.ledger import Row

MAX_FAILED = 20
"""A summary lists so many failures; the ledger has all."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Which finished work is done again.

    Attributes:
        force: Analyse everything again.
        retry_failed: Analyse failed series again.
    """

    force: bool = False
    retry_failed: bool = False


@dataclass(slots=True)
class RunSummary:
    """Counts of one run.

    Attributes:
        studies: Studies that hold something to analyse.
        already_done: Studies that an earlier run had finished.
        findings: Findings of all series.
        verdicts: Series and files by verdict.
        reasons: Series and files that were not analysed, by reason.
        failed: The first `MAX_FAILED` failures, each with its path and its reason in a sentence.
    """

    studies: int = 0
    already_done: int = 0
    findings: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def count(self, row: Row) -> None:
        """Count a series or file."""
        if row.verdict == Verdict.FAILED and len(self.failed) < MAX_FAILED:
            self.failed.append(f"{row.path}: {row.message}")
        self.verdicts[row.verdict] += 1
        self.findings += row.findings
        if row.reason:
            self.reasons[row.reason] += 1

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the program."""
        if self.verdicts[Verdict.FAILED]:
            return ExitCode.SOME_FAILED
        analysed = self.verdicts[Verdict.ANALYSED] + self.verdicts[Verdict.ANALYSED_WITH_NOTICES]
        return ExitCode.DONE if analysed else ExitCode.NOTHING_TO_ANALYSE
