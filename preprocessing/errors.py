"""The one family of exceptions: each carries a code and a sentence for the user."""

from __future__ import annotations

import struct
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hounsfield.preprocessing.printable_path import printable_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hounsfield.preprocessing.codes import Reason


PYDICOM_PARSE_ERRORS = (
    AssertionError, AttributeError, EOFError, IndexError, KeyError, MemoryError,
    NotImplementedError, OSError, RecursionError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What pydicom raises for elements that make no sense, none of it its own InvalidDicomError;
NotImplementedError for a value representation that it does not know."""


class HounsfieldError(Exception):
    """The root of the family: its text is one clear sentence; no traceback is shown for it.

    Attributes:
        exit_code: What the command line ends with when nothing handles the error.
    """

    exit_code = 1


class UsageError(HounsfieldError):
    """A wrong argument or configuration: the user can mend it."""

    exit_code = 2


class SeriesError(HounsfieldError):
    """A series (or file) cannot be used; other series are not touched by it.

    Args:
        reason: The design's code for it.
        message: What was wanted, what was got (tag, value, file, slice), and what to do.
    """

    exit_code = 4

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        self.message = printable_path(message)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type[SeriesError], tuple[Reason, str]]:
        """Lets the error cross from a worker process."""
        return (type(self), (self.reason, self.message))


class OutputError(HounsfieldError):
    """The output folder cannot be written, or its disk is full."""

    exit_code = 5


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
