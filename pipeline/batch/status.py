"""Progress of the run in an output folder: counts, rate, time left, failures by reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hounsfield.pipeline.batch.ledger import LEDGER_NAME, Ledger
from hounsfield.preprocessing.codes import Verdict
from hounsfield.preprocessing.documents import Strict
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class Status(Strict):
    """Progress of a run, as ``hounsfield status --json`` prints it."""

    version: Literal[1] = 1
    verdicts: dict[str, int] = Field(description="Series and files by verdict.")
    failures: dict[str, int] = Field(description="Failed series and files by reason.")
    studies: int
    studies_done: int
    started_at: str
    finished_at: str | None
    studies_an_hour: float | None = Field(description="None before the first study is done.")
    seconds_left: float | None = Field(description="At that rate; None where it is not known.")

    def lines(self) -> list[str]:
        """Format the progress for a terminal."""
        state = f"finished {self.finished_at}" if self.finished_at else "not finished"
        lines = [
            f"Studies: {self.studies_done} of {self.studies} (started {self.started_at}, {state})",
            "Series and files: " + ", ".join(f"{n} {name}" for name, n in self.verdicts.items()),
        ]
        if self.studies_an_hour is not None:
            lines.append(f"Rate: {self.studies_an_hour:.1f} studies an hour")
        if self.seconds_left:
            lines.append(f"Time left: {timedelta(seconds=round(self.seconds_left))}")
        if self.failures:
            failures = ", ".join(f"{n} {reason}" for reason, n in self.failures.items())
            lines.append(f"Failed: {failures}")
        return lines


def read_status(out: Path) -> Status:
    """Read the ledger of an output folder, also while a run is writing.

    Args:
        out: Output folder of a run.

    Returns:
        Counts, rate and time left.

    Raises:
        UsageError: No run was ever started there.
    """
    if not (out / LEDGER_NAME).is_file():
        msg = f"{out} must be the output folder of a run, but holds no {LEDGER_NAME}"
        raise UsageError(msg)
    with Ledger(out, read_only=True) as ledger:
        counts, run = ledger.counts(), ledger.latest_run()
    if run is None:
        msg = f"{out / LEDGER_NAME} holds no run yet; try again in a moment"
        raise UsageError(msg)
    verdicts: dict[str, int] = {}
    for (verdict, _), number in counts.items():
        verdicts[verdict] = verdicts.get(verdict, 0) + number
    end = datetime.fromisoformat(run.finished_at) if run.finished_at else datetime.now(UTC)
    hours = max((end - datetime.fromisoformat(run.started_at)).total_seconds(), 1.0) / 3600
    done_now = run.studies_done - run.studies_before
    rate = done_now / hours if done_now else None
    left = run.studies - run.studies_done
    return Status(
        verdicts=verdicts,
        failures={
            reason: n for (verdict, reason), n in counts.items() if verdict == Verdict.FAILED
        },
        studies=run.studies,
        studies_done=run.studies_done,
        started_at=run.started_at,
        finished_at=run.finished_at,
        studies_an_hour=rate,
        seconds_left=0.0 if not left else 3600 * left / rate if rate else None,
    )
