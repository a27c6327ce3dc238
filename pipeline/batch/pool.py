"""Worker processes that analyse one series at a time, each losing at most its own series.

`concurrent.futures` fails every waiting task when one worker dies, and cannot stop one that takes
too long. With a pipe to each process the one at fault is known, and only it is replaced.
"""

from __future__ import annotations

import logging
import signal
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection, get_context
from time import monotonic
from typing import TYPE_CHECKING

from hounsfield.pipeline.batch.messages import Outcome, StartFailure
from hounsfield.pipeline.batch.run_log import with_details
from hounsfield.pipeline.batch.worker import READY, serve
from hounsfield.pipeline.batch.worker import make_analyser as load_analyser
from hounsfield.preprocessing.codes import Reason

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from hounsfield.pipeline.analysis.growth.prior import Prior
    from hounsfield.pipeline.batch.messages import MakeAnalyser, WorkerSettings
    from hounsfield.preprocessing.series import Series

_STOPPING_S = 5.0
_log = logging.getLogger(__name__)
START_TIMEOUT_S = 300.0
"""Time for a worker to start and load its models, also from a slow disk."""


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    task: int | None = None
    started: float = 0.0
    ready: bool = False

    def stop(self) -> None:
        """End the process at once, whatever it is doing."""
        self.process.kill()
        self.process.join(_STOPPING_S)
        self.pipe.close()


class WorkerPool:
    """A fixed number of workers: give a series to each with `submit`, take outcomes with `wait`.

    Args:
        settings: What every worker needs at its start.
        size: Number of workers; each starts when there is work for it.
        timeout_s: A series that takes longer fails as `Reason.TIMED_OUT`.
        make_analyser: Loads, in each worker, what analysing needs; a function of a module.
        start_timeout_s: A worker that takes longer to load its models is given up.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        size: int,
        timeout_s: float,
        make_analyser: MakeAnalyser = load_analyser,
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._make_analyser = make_analyser
        self._size = size
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._context = get_context("spawn")
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self._lost: deque[tuple[int, Outcome]] = deque()

    @property
    def has_room(self) -> bool:
        """Whether another series would start at once."""
        return len(self._busy) < self._size

    @property
    def is_busy(self) -> bool:
        """Whether an outcome is still to come."""
        return bool(self._busy or self._lost)

    def submit(self, task: int, series: Series, prior: Prior | None = None) -> None:
        """Give a series to a worker; there must be room.

        Args:
            task: A number of the caller's choice, under which `wait` returns the outcome.
            series: The series to analyse, known from its headers.
            prior: The earlier study to compare with; None where the input has none.
        """
        worker = self._idle.pop() if self._idle else self._new_worker()
        if not worker.process.is_alive():  # it died while it was idle: no series is to blame
            worker.stop()
            worker = self._new_worker()
        worker.task, worker.started = task, monotonic()
        self._busy.append(worker)
        try:
            worker.pipe.send((series, prior))
        except OSError:
            self._lose(worker, Reason.WORKER_CRASHED, _how_it_ended(worker))

    def wait(self, *, at_most_s: float = 1.0) -> tuple[int, Outcome] | None:
        """Wait for the next outcome.

        Args:
            at_most_s: Return after so many seconds even if nothing came.

        Returns:
            The caller's number and the outcome, or None where nothing came in time.

        Raises:
            HounsfieldError: A worker could not load its models or not write its output.
            RuntimeError: An internal error kept a worker from starting; the log has its traceback.
        """
        if self._lost:
            return self._lost.popleft()
        for worker in self._ready(at_most_s):
            try:
                reply = worker.pipe.recv()
            except (EOFError, OSError):
                self._lose(worker, Reason.WORKER_CRASHED, _how_it_ended(worker))
                break
            if isinstance(reply, StartFailure):
                _log.error("a worker could not start", extra=with_details(reply.details))
                msg = f"a worker could not start: {reply.message}; the traceback is in the log"
                raise RuntimeError(msg)  # noqa: TRY004 - the reply's type is no mistake
            if isinstance(reply, Exception):
                raise reply
            if reply == READY:  # from here on the series is timed, not the start
                worker.ready, worker.started = True, monotonic()
                continue
            task = worker.task
            worker.task = None
            self._busy.remove(worker)
            self._idle.append(worker)
            assert task is not None
            return task, reply
        for worker in tuple(self._busy):
            limit_s = self._timeout_s if worker.ready else self._start_timeout_s
            if monotonic() - worker.started > limit_s:
                self._lose(worker, Reason.TIMED_OUT, self._timeout_message(worker))
        return self._lost.popleft() if self._lost else None

    def stop(self) -> None:
        """End all workers at once; their unfinished work is lost."""
        for worker in (*self._busy, *self._idle):
            worker.stop()
        self._busy.clear()
        self._idle.clear()

    def _timeout_message(self, worker: _Worker) -> str:
        if worker.ready:
            return f"It took longer than {self._timeout_s:g} s (run.timeout_s); given up."
        return (
            f"The worker took more than {self._start_timeout_s:g} s to start and load its models; "
            "given up. A slow or busy disk is the usual cause: run again with --retry-failed."
        )

    def _ready(self, at_most_s: float) -> list[_Worker]:
        """The workers that sent a message, or whose pipe closed when they ended."""
        ready = connection.wait([worker.pipe for worker in self._busy], timeout=at_most_s)
        return [worker for worker in self._busy if worker.pipe in ready]

    def _new_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=serve,
            args=(theirs, self._settings, self._make_analyser),
            daemon=True,
        )
        process.start()
        theirs.close()  # so that the pipe ends when the process does
        return _Worker(process, ours)

    def _lose(self, worker: _Worker, reason: Reason, message: str) -> None:
        """End a worker; its task fails."""
        assert worker.task is not None
        outcome = Outcome(monotonic() - worker.started, reason=reason, message=message)
        self._lost.append((worker.task, outcome))
        self._busy.remove(worker)
        worker.stop()


def _how_it_ended(worker: _Worker) -> str:
    worker.process.join(_STOPPING_S)
    code = worker.process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; so the system ends a process when memory runs out" if name == "SIGKILL" else ""
        return f"The worker process was ended by {name}{hint}."
    return f"The worker process ended with code {code}."
