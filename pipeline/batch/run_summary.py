"""What a run is asked to do again, and what became of its series."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import ExitCode
from hounsfield.preprocessing.codes import Verdict

if TYPE_CHECKING:
    from hounsfield.pipeline.batch.ledger import Row

MAX_FAILED = 20
"""So many failures are told at the end of a run; the ledger has all."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is done again although the ledger has it as done."""

    force: bool = False
    retry_failed: bool = False


@dataclass(slots=True)
class RunSummary:
    """What became of the series of one run's input.

    Attributes:
        studies: Those that hold something to analyse.
        already_done: Those of them that an earlier run had finished.
        failed: The first `MAX_FAILED` that failed: what, and why.
    """

    studies: int = 0
    already_done: int = 0
    findings: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def count(self, row: Row) -> None:
        """Adds a series."""
        if row.verdict == Verdict.FAILED and len(self.failed) < MAX_FAILED:
            told = row.message if row.path in row.message else f"{row.path}: {row.message}"
            self.failed.append(told)
        self.verdicts[row.verdict] += 1
        self.findings += row.findings
        if row.reason:
            self.reasons[row.reason] += 1

    @property
    def exit_code(self) -> ExitCode:
        """What the program ends with."""
        if self.verdicts[Verdict.FAILED]:
            return ExitCode.SOME_FAILED
        analysed = self.verdicts[Verdict.ANALYSED] + self.verdicts[Verdict.ANALYSED_WITH_NOTICES]
        return ExitCode.DONE if analysed else ExitCode.NOTHING_TO_ANALYSE
