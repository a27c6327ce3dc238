"""One mutated input: read, compared with the unchanged one, and judged."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import HounsfieldError
from hounsfield.preprocessing.safety_net import INTERRUPTIONS

if TYPE_CHECKING:
    from benchmarks.mutations.kinds import Kind, Mutation, Reading

MAX_GROWN_MB = 256.0
"""The process that looks for series may grow by so much."""


class Verdict(StrEnum):
    """What became of a mutated input."""

    SAME = "same"
    TOLD = "told"
    REFUSED = "refused"
    SILENT = "silent"
    ESCAPED = "escaped"
    GROWN = "grown"
    HANG = "hang"
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of one mutated input.

    Attributes:
        verdict: ``same``: HU and geometry as before, or not compared. ``told``: changed, with a
            notice or reason that the unchanged input has not. ``refused``: nothing is analysed,
            with a reason. ``silent``: changed, and nobody is told. ``escaped``: an exception
            outside the family. ``grown``: the looking process grew by too much. ``hang``: over
            the time limit. ``crash``: the process died.
        field: What was changed.
        how: What was done to it.
        detail: The exception and where it was raised, or the growth in MB.
        caught: Kinds of exceptions that only a net turned into a reason.
    """

    verdict: Verdict
    field: str = ""
    how: str = ""
    detail: str = ""
    caught: tuple[str, ...] = ()


class Trial:
    """Tries the mutations of one kind in a folder of its own.

    Args:
        kind: The kind of input.
        folder: An empty folder, best in memory.
    """

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in kind.contents.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        self.unchanged = kind.read(folder)

    def mutation(self, index: int, seed: int) -> Mutation:
        """Returns one mutation; the same number and seed give the same.

        Args:
            index: Number of the mutation within its kind.
            seed: Seed of the whole benchmark.
        """
        return self.kind.mutate(Random(f"{seed}/{self.kind.name}/{index}"))

    def run(self, index: int, seed: int) -> Judgement:
        """Tries one mutation.

        Args:
            index: Number of the mutation within its kind.
            seed: Seed of the whole benchmark.
        """
        mutation = self.mutation(index, seed)
        try:
            for name, content in mutation.files.items():
                (self.folder / name).write_bytes(content)
            verdict, detail, caught = self._judge()
        finally:
            for name in mutation.files:
                (self.folder / name).write_bytes(self.kind.contents[name])
        return Judgement(verdict, mutation.field, mutation.how, detail, caught)

    def _judge(self) -> tuple[Verdict, str, tuple[str, ...]]:
        try:
            reading = self.kind.read(self.folder)
        except HounsfieldError as error:
            return Verdict.REFUSED, type(error).__name__, ()
        except INTERRUPTIONS:
            raise
        except BaseException as error:  # noqa: BLE001 - these are what the benchmark counts
            return Verdict.ESCAPED, place_of(error), ()
        caught = tuple(sorted(reading.caught))
        if reading.grown_mb > MAX_GROWN_MB:
            return Verdict.GROWN, f"{reading.grown_mb:.0f} MB", caught
        return self._compared(reading), "", caught

    def _compared(self, reading: Reading) -> Verdict:
        if self.unchanged.same_as(reading):
            return Verdict.SAME
        if reading.told <= self.unchanged.told:
            return Verdict.SILENT
        return Verdict.TOLD if reading.volumes else Verdict.REFUSED


def place_of(error: BaseException) -> str:
    """Returns the type of an exception, and the last place of the project on its way.

    Args:
        error: The exception, with its traceback.
    """
    root = Path(__file__).parents[2]
    places = [
        f"{Path(frame.filename).relative_to(root)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if root in Path(frame.filename).parents and "mutations" not in frame.filename
    ]
    return f"{type(error).__name__} at {places[-1] if places else 'unknown'}"
