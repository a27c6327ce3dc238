"""Progress of the run in an output folder: counts, rate, time left, failures by reason."""

from __future__ import annotations

import os.path
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from hounsfield.pipeline.batch.ledger import LEDGER_NAME, Ledger
from hounsfield.pipeline.batch.ledger_file import damaged
from hounsfield.preprocessing.codes import Verdict
from hounsfield.preprocessing.documents import Strict
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


_CENTURY_S = 3.2e9


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


class ListedSeries(Strict):
    """What became of one series, or of a file that belongs to none, and where it was."""

    path: str = Field(description="File, archive or folder of the input.")
    study_uid: str
    series_uid: str
    verdict: str
    reason: str
    folder: str | None = Field(description="Of its report, inside the output folder.")

    def line(self) -> str:
        """Format the series for a terminal."""
        words = (self.verdict, self.reason, self.folder or self.series_uid, self.path)
        return "  ".join(filter(None, words))


def list_series(out: Path) -> list[ListedSeries]:
    """List every series and file that the ledger knows: which report belongs to which file.

    Args:
        out: Output folder of a run.

    Returns:
        The series by study, series and path; files of no series first.

    Raises:
        UsageError: No run was ever started there.
    """
    _require_ledger(out)
    with Ledger(out, read_only=True) as ledger:
        return [
            ListedSeries(
                path=row.path,
                study_uid=row.study_uid,
                series_uid=row.series_uid,
                verdict=row.verdict,
                reason=row.reason,
                folder=row.folder,
            )
            for row in ledger.rows()
        ]


def read_status(out: Path) -> Status:
    """Read the ledger of an output folder, also while a run is writing.

    Args:
        out: Output folder of a run.

    Returns:
        Counts, rate and time left.

    Raises:
        UsageError: No run was ever started there.
    """
    _require_ledger(out)
    with Ledger(out, read_only=True) as ledger:
        counts, run = ledger.counts(), ledger.latest_run()
    if run is None:
        msg = f"{out / LEDGER_NAME} holds no run yet; try again in a moment"
        raise UsageError(msg)
    verdicts: dict[str, int] = {}
    for (verdict, _), number in counts.items():
        verdicts[verdict] = verdicts.get(verdict, 0) + number
    try:
        end = _time(run.finished_at) if run.finished_at else datetime.now(UTC)
        hours = max((end - _time(run.started_at)).total_seconds(), 1.0) / 3600
    except ValueError as error:
        raise damaged(out / LEDGER_NAME, str(error)) from error
    done_now = run.studies_done - run.studies_before
    rate = done_now / hours if done_now else None
    left = max(0, run.studies - run.studies_done)
    seconds_left = 0.0 if not left else 3600 * left / rate if rate and rate > 0 else None
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
        seconds_left=seconds_left if seconds_left is None else min(seconds_left, _CENTURY_S),
    )


def _require_ledger(out: Path) -> None:
    if not os.path.isfile(out / LEDGER_NAME):  # noqa: PTH113 - false for an impossible path too
        msg = f"{out} must be the output folder of a run, but holds no {LEDGER_NAME}"
        raise UsageError(msg)


def _time(text: str) -> datetime:
    """A time that the ledger holds; one without a zone is in UTC, like all of them."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
