"""How a command ends: the exit codes, and the errors that belong to a run and not to a series."""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

from preprocessing.errors import HounsfieldError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ExitCode(IntEnum):
    """What the program ends with."""

    DONE = 0
    DEFECT = 1
    USAGE = 2
    NOTHING_TO_ANALYSE = 3
    SOME_FAILED = 4
    OUTPUT_UNWRITABLE = 5
    OUTPUT_HELD = 6
    INTERRUPTED = 130


class OutputError(HounsfieldError):
    """The output folder cannot be written, or its disk is full."""

    exit_code = ExitCode.OUTPUT_UNWRITABLE


class OutputHeldError(HounsfieldError):
    """Another run holds the output folder."""

    exit_code = ExitCode.OUTPUT_HELD


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """Turns any failure of the operating system while `place` is written into `OutputError`.

    Raises:
        OutputError: The sentence names the place and the system's own words.
    """
    try:
        yield
    except OSError as error:
        trouble = error.strerror or str(error)
        msg = (
            f"{place} cannot be written: {trouble}. What was finished is kept; "
            "make room or choose another --out, and run again to go on."
        )
        raise OutputError(msg) from error
