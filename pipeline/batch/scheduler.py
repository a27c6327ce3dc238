"""Takes the studies of a run through the workers and into the ledger."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from hounsfield.pipeline.analysis.growth.prior import Prior
from hounsfield.pipeline.batch.ledger import Row, RunRow
from hounsfield.pipeline.batch.output_folder import folder_name
from hounsfield.pipeline.batch.run_log import with_details
from hounsfield.pipeline.batch.run_summary import RunSummary
from hounsfield.pipeline.report.filenames import REPORT_JSON
from hounsfield.preprocessing.codes import Reason, Verdict
from hounsfield.preprocessing.files.atomic_write import publish_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hounsfield.pipeline.batch.ledger import Ledger
    from hounsfield.pipeline.batch.messages import Outcome
    from hounsfield.pipeline.batch.pool import WorkerPool
    from hounsfield.pipeline.batch.progress import Progress
    from hounsfield.pipeline.batch.run_summary import RunOptions
    from hounsfield.pipeline.batch.work_plan import Plan, PlannedSeries

_Study = tuple["PlannedSeries", ...]
"""The series of one study that are still to be tried, the best first."""

RETRY_WITHOUT_PRIOR = (
    Reason.WORKER_CRASHED,
    Reason.TIMED_OUT,
    Reason.OUT_OF_MEMORY,
    Reason.INTERNAL,
)
"""Reasons of failure whose cause may be the earlier study that a study is compared with."""

_log = logging.getLogger(__name__)


class StudyScheduler:
    """Analyses the studies of a plan; every finished series is in the ledger.

    Args:
        out: Output folder of the run.
        ledger: The ledger of that folder.
        pool: Workers that analyse one series each.
        fingerprint: Hash of version, weights and configuration; series that an earlier run finished
            with the same fingerprint are not analysed again.
        options: Which finished work is done again all the same.
        progress: Shows progress on standard error.
    """

    def __init__(
        self,
        out: Path,
        *,
        ledger: Ledger,
        pool: WorkerPool,
        fingerprint: str,
        options: RunOptions,
        progress: Progress,
    ) -> None:
        self._out = out
        self._ledger = ledger
        self._pool = pool
        self._fingerprint = fingerprint
        self._options = options
        self._progress = progress
        self._summary = RunSummary()
        self._studies_done = 0

    def run(self, plan: Plan) -> RunSummary:
        """Analyse the best series of each study, or the next best where that one fails.

        Args:
            plan: Studies with their series in order of preference.

        Returns:
            Counts of studies, series and findings, and the first failures.

        Raises:
            OutputError: The output folder cannot be written; finished work is kept.
        """
        self._record(plan.excluded)
        self._summary.studies = len(plan.studies)
        waiting = self._without_finished(plan.studies)
        before = self._summary.already_done
        self._studies_done = before
        self._ledger.start_run(RunRow(_now(), None, len(plan.studies), before, before))
        in_flight: dict[int, _Study] = {}
        tasks = count()
        with self._progress.studies(len(waiting)):
            while waiting or self._pool.is_busy:
                while waiting and self._pool.has_room:
                    task, study = next(tasks), waiting.popleft()
                    in_flight[task] = study
                    self._pool.submit(task, study[0].series, study[0].prior)
                finished = self._pool.wait()
                if finished is not None:
                    task, outcome = finished
                    untried = self._settle(in_flight.pop(task), outcome)
                    if untried:
                        waiting.appendleft(untried)
        self._ledger.note_progress(self._studies_done, finished_at=_now())
        return self._summary

    def _without_finished(self, studies: Iterable[_Study]) -> deque[_Study]:
        """The studies with series still to try; finished ones are counted."""
        waiting: deque[_Study] = deque()
        for study in studies:
            untried = self._untried(study)
            if untried:
                waiting.append(untried)
            else:
                self._summary.already_done += 1
        if self._summary.already_done:
            self._progress.say(
                f"{self._summary.already_done} of {len(waiting) + self._summary.already_done} "
                "studies were finished before with the same configuration and weights; "
                "--force analyses them again"
            )
        return waiting

    def _untried(self, study: _Study) -> _Study:
        """The series of a study that the ledger does not have as finished."""
        for index, planned in enumerate(study):
            known = self._known(planned)
            if known is None:
                return study[index:]
            self._summary.count(known)
            if known.folder is not None:
                self._record(self._not_chosen(planned, study[index + 1 :]))
                return ()
        return ()

    def _known(self, planned: PlannedSeries) -> Row | None:
        """The row of a series that need not be analysed again."""
        row = None if self._options.force else self._ledger.find(planned.key)
        if (
            row is None
            or (row.fingerprint, row.input_stamp) != (self._fingerprint, planned.input_stamp)
            or row.content_id != planned.series.content_id
            or row.reason == Reason.BETTER_SERIES_CHOSEN
            or (row.verdict == Verdict.FAILED and self._options.retry_failed)
            or (row.folder is not None and not (self._out / row.folder / REPORT_JSON).is_file())
        ):
            return None
        return row

    def _settle(self, study: _Study, outcome: Outcome) -> _Study:
        """Publish an outcome and record it; return the series still to try."""
        planned, others = study[0], study[1:]
        row = self._row(planned, outcome)
        _log_outcome(row, outcome)
        retry = _retry_without_prior(planned, outcome)
        if retry is not None:
            return (retry, *others)
        if outcome.report is None or outcome.partial_folder is None:
            self._record([row])
        else:
            self._ledger.forget_folder(planned.folder)
            publish_folder(outcome.partial_folder, self._out / planned.folder)
            self._record([row, *self._not_chosen(planned, others)])
            others = ()
        self._progress.series_done(row)
        untried = self._untried(others)
        if not untried:
            self._studies_done += 1
            self._ledger.note_progress(self._studies_done)
            self._progress.study_done()
        return untried

    def _row(self, planned: PlannedSeries, outcome: Outcome) -> Row:
        path, study_uid, series_uid, part = planned.key
        notices = outcome.report.notices if outcome.report else planned.series.notices
        verdict = Verdict.FAILED if outcome.reason is None else outcome.reason.verdict
        return Row(
            path=path,
            study_uid=study_uid,
            series_uid=series_uid,
            part=part,
            verdict=outcome.report.verdict if outcome.report else verdict,
            reason=outcome.reason or "",
            message=outcome.message,
            seconds=round(outcome.seconds, 3),
            peak_memory_mb=outcome.peak_memory_mb,
            notices=",".join(notice.code for notice in notices),
            findings=len(outcome.report.findings) if outcome.report else 0,
            folder=planned.folder if outcome.report else None,
            fingerprint=self._fingerprint,
            input_stamp=planned.input_stamp,
            finished_at=_now(),
            content_id=planned.series.content_id,
        )

    def _not_chosen(self, chosen: PlannedSeries, others: _Study) -> list[Row]:
        """Rows of a study's other series, once one of them is analysed."""
        reason = Reason.BETTER_SERIES_CHOSEN
        instead = f"series {chosen.series.facts.series_uid} of the same study was analysed"
        return [
            Row(
                *other.key,
                verdict=reason.verdict,
                reason=reason,
                message=other.not_first_reason or instead,
                fingerprint=self._fingerprint,
                input_stamp=other.input_stamp,
                finished_at=_now(),
                content_id=other.series.content_id,
            )
            for other in others
        ]

    def _record(self, rows: Sequence[Row]) -> None:
        self._ledger.record(rows)
        for row in rows:
            self._summary.count(row)


def _retry_without_prior(planned: PlannedSeries, outcome: Outcome) -> PlannedSeries | None:
    """The series to try again by itself, where the study it is compared with may be to blame.

    An earlier study must not cost the later one its report.
    """
    prior = planned.prior
    if prior is None or not prior.series or outcome.reason not in RETRY_WITHOUT_PRIOR:
        return None
    message = (
        f"Beside the earlier study, {prior.days} days before, the analysis failed "
        f"({outcome.reason}): it was left out."
    )
    return replace(planned, prior=Prior(reason=message))


def _log_outcome(row: Row, outcome: Outcome) -> None:
    series = folder_name(row.series_uid)
    _log.info(
        "study %s series %s: %s %s, %.1f s, %.0f MB, %d findings",
        folder_name(row.study_uid),
        series,
        row.verdict,
        row.reason,
        row.seconds,
        row.peak_memory_mb,
        row.findings,
    )
    if outcome.details:
        _log.error("series %s: internal error", series, extra=with_details(outcome.details))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
