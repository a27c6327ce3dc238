"""The exceptions of the project: each has an exit code and one clear sentence for the user."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hounsfield.preprocessing.printable import file_name, printable_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from hounsfield.preprocessing.codes import Reason


_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


INSTALL_TRAIN = "run pip install '.[train]' in Hounsfield's folder"
"""The advice where a package is missing that only training, import and export need."""


class HounsfieldError(Exception):
    """The base class: its text is one clear sentence, shown without a traceback.

    Attributes:
        exit_code: The exit status of a command that this error ends.
    """

    exit_code = 1


class UsageError(HounsfieldError):
    """A wrong argument or configuration, which the user can correct."""

    exit_code = 2


class SeriesError(HounsfieldError):
    """A series or file cannot be used; other series are not affected.

    The path is kept apart from the sentence, because folders may be named after the patient:
    each output decides whether it shows the path.

    Args:
        reason: The reason code of the series.
        message: What was expected, what was found (value, tag, slice) and what to do, in one
            sentence that speaks of "the file" instead of naming a path.
        path: The file, archive or folder that the sentence speaks of, if it is a certain one;
            ``archive.zip!member`` for a member of an archive.

    Attributes:
        path: The same as printable text, or None.
    """

    exit_code = 4

    def __init__(self, reason: Reason, message: str, *, path: Path | str | None = None) -> None:
        self.reason = reason
        # A value quoted from a header may hold undecodable bytes, as a path may.
        self.message = printable_path(message)
        self.path = None if path is None else printable_path(path)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type[SeriesError], tuple[Reason, str], dict[str, Any]]:
        """Lets the error cross from a worker process, with its path."""
        return (type(self), (self.reason, self.message), {"path": self.path})

    def with_path(self, path: Path | str) -> SeriesError:
        """Returns the same error with a path, unless it has one already."""
        return self if self.path else SeriesError(self.reason, self.message, path=path)

    def sentence_for(self, series_path: Path | str) -> str:
        """Returns the sentence, led by the name of its file where the series has several."""
        if self.path is None or self.path == printable_path(series_path):
            return self.message
        return f"{file_name(self.path)}: {self.message}"


class OutputError(HounsfieldError):
    """The output folder cannot be written, or its disk is full."""

    exit_code = 5


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """Turns any failure of the operating system while `place` is written into `OutputError`.

    Args:
        place: The file or folder that is written, named in the sentence.

    Yields:
        Nothing; the writing happens inside the ``with`` block.

    Raises:
        OutputError: The sentence names the place and quotes the system's own words.
    """
    try:
        yield
    except OSError as error:
        cause = error.strerror or str(error)
        remedy = "free some space or choose" if error.errno in _NO_SPACE else "choose"
        msg = (
            f"{place} cannot be written: {cause}. What was finished is kept; {remedy} another "
            "folder, and run again to resume."
        )
        raise OutputError(msg) from error
