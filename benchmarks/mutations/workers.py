"""Worker processes that try mutations, each under a time limit and a memory limit."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import warnings
from dataclasses import dataclass
from multiprocessing import connection, get_context
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final

from benchmarks.mutations.registry import KINDS
from benchmarks.mutations.trial import Judgement, Trial, Verdict, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Task = tuple[str, int]
"""Name of a kind, and number of a mutation within it."""

MEMORY_LIMIT_BYTES: Final = 6 * 2**30
"""Address space of a worker: what wants more gets a `MemoryError` and harms no other process."""

START_LIMIT_S: Final = 120.0
"""Time for a worker to start and to read a kind's unchanged input."""


def try_all(
    tasks: Iterable[Task], *, seed: int, workers: int, limit_s: float
) -> Iterator[tuple[Task, Judgement]]:
    """Tries mutations in worker processes; a hang or a crash costs one of them.

    Args:
        tasks: The mutations to try.
        seed: Seed of the whole benchmark.
        workers: Number of processes.
        limit_s: A mutation that takes longer is a hang.

    Yields:
        Each task with what became of it, in the order in which they end.

    Raises:
        RuntimeError: An unchanged input cannot be read.
    """
    waiting = iter(tasks)
    running: dict[Connection, _Worker] = {}
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
        for number in range(workers):
            _start(Path(folder) / str(number), seed, waiting, running)
        while running:
            for pipe in connection.wait(list(running), timeout=1.0):
                worker = running[pipe]  # type: ignore[index]
                try:
                    judgement = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    judgement = Judgement(Verdict.CRASH, detail=worker.how_it_ended())
                if isinstance(judgement, str):
                    raise RuntimeError(judgement)  # noqa: TRY004 - the reply's type is no mistake
                if judgement is None:  # it is ready: from here on the mutation is timed
                    worker.begin(limit_s)
                    continue
                yield worker.task, judgement
                if judgement.verdict is Verdict.CRASH or not worker.give(waiting):
                    del running[worker.pipe]
                    worker.stop()
                    if judgement.verdict is Verdict.CRASH:
                        _start(worker.folder, seed, waiting, running)
            for worker in [each for each in running.values() if monotonic() > each.end]:
                yield worker.task, Judgement(Verdict.HANG, detail=f"over {limit_s:g} s")
                del running[worker.pipe]
                worker.stop()
                _start(worker.folder, seed, waiting, running)


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    folder: Path
    task: Task = ("", 0)
    end: float = 0.0

    def give(self, waiting: Iterator[Task]) -> bool:
        """Sends the next task; returns whether there is one."""
        task = next(waiting, None)
        if task is None:
            return False
        self.task, self.end = task, monotonic() + START_LIMIT_S
        self.pipe.send(task)
        return True

    def begin(self, limit_s: float) -> None:
        """Starts the time of the task."""
        self.end = monotonic() + limit_s

    def stop(self) -> None:
        """Ends the process at once."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def how_it_ended(self) -> str:
        """The signal that ended the process, or its exit status."""
        self.process.join(5)
        status = self.process.exitcode or 0
        return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _start(
    folder: Path, seed: int, waiting: Iterator[Task], running: dict[Connection, _Worker]
) -> None:
    """Starts a worker with its first task, if there is one left."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve, args=(theirs, folder, seed), daemon=True)
    worker = _Worker(process, ours, folder)
    process.start()
    theirs.close()
    if worker.give(waiting):
        running[ours] = worker
    else:
        worker.stop()


def serve(pipe: Connection, folder: Path, seed: int) -> None:
    """Answers each task with None once its unchanged input is read, then with its judgement.

    Args:
        pipe: The worker's end of the pipe.
        folder: A folder of the worker's own.
        seed: Seed of the whole benchmark.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # codecs print what they think of damaged data
    trials: dict[str, Trial] = {}
    while True:
        try:
            name, index = pipe.recv()
        except EOFError:
            return
        if name not in trials:
            try:
                trials[name] = Trial(KINDS[name](), folder / name)
            except Exception as error:  # noqa: BLE001 - the benchmark itself is wrong
                pipe.send(f"the unchanged {name} cannot be read: {place_of(error)}: {error}")
                return
        pipe.send(None)
        pipe.send(trials[name].run(index, seed))


def _memory_folder() -> str | None:
    """A folder in memory where there is one: a disk would be most of the benchmark."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and os.access(shared, os.W_OK) else None
