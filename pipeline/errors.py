"""Exit codes, and the errors that belong to a run rather than to a series."""

from __future__ import annotations

from enum import IntEnum

from hounsfield.preprocessing.errors import HounsfieldError, OutputError, writing_to

__all__ = ["ExitCode", "OutputError", "OutputHeldError", "writing_to"]


class ExitCode(IntEnum):
    """Exit codes of the program."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    NOTHING_TO_ANALYSE = 3
    SOME_FAILED = 4
    OUTPUT_UNWRITABLE = 5
    OUTPUT_HELD = 6
    INTERRUPTED = 130


class OutputHeldError(HounsfieldError):
    """Another run holds the output folder."""

    exit_code = ExitCode.OUTPUT_HELD
