"""The net around each file, group and codec: anything unexpected becomes a `SeriesError`.

A damaged file may raise anything out of a parser or a codec. The panics of codecs in Rust (pyo3's
``PanicException``) do not even derive from `Exception`. Only what ends the whole process on purpose
passes: an interruption, the end of the interpreter, and the errors of this project.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import HounsfieldError, SeriesError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERRUPTIONS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""Exceptions that end the process or a generator on purpose, and are never a file's fault."""

MAX_QUOTED_CHARACTERS: Final = 160
"""The words of a library are quoted up to this length."""

_OUT_OF_MEMORY: Final = re.compile(
    r"out.?of.?memory|memory.?allocation.?(error|fail)|(not enough|insufficient) memory|bad.?alloc|"
    r"(can't|cannot|can not|couldn't|could not|unable to|fail\w* to) (re)?allocate|"
    r"failed allocation|allocation failed",
    re.IGNORECASE,
)
"""How torch, OpenVINO, ONNX Runtime, SimpleITK and the codecs say that memory ran out, in the type
or the text of an exception. numpy raises a `MemoryError`."""


@contextmanager
def as_series_error(
    path: Path | str | None = None,
    subject: str = "The file",
    *,
    reason: Reason = Reason.UNREADABLE,
    remedy: str = "",
    quotes_library: bool = False,
) -> Iterator[None]:
    """Turns whatever is raised inside the ``with`` block into a `SeriesError`.

    Args:
        path: The file or folder that is at fault; None if the caller adds it.
        subject: What cannot be used, as the beginning of the sentence.
        reason: The reason of anything unexpected but a lack of memory.
        remedy: What to do about damage, in the imperative: "copy it again".
        quotes_library: Whether the words of the exception follow its type. They may repeat what
            the file holds, so not for headers, which name the patient.

    Yields:
        Nothing; the work happens inside the ``with`` block.

    Raises:
        SeriesError: One that was raised inside, with the path; or `out_of_memory` or `reason`
            with the type of what was raised.
        HounsfieldError: Another error of the project, unchanged.
        BaseException: An interruption, unchanged.
    """
    try:
        yield
    except SeriesError as error:
        raise (error if path is None else error.with_path(path)) from error.__cause__
    except (HounsfieldError, *INTERRUPTIONS):
        raise
    except BaseException as error:
        if is_out_of_memory(error):
            msg = f"{subject} needs more memory than there is"
            raise SeriesError(Reason.OUT_OF_MEMORY, msg, path=path) from error
        msg = _unexpected_error(error, subject, reason, remedy, quotes_library)
        raise SeriesError(reason, msg, path=path) from error


def _unexpected_error(
    error: BaseException, subject: str, reason: Reason, remedy: str, quotes_library: bool
) -> str:
    """The sentence for an exception that nobody expected."""
    if reason is Reason.INTERNAL:
        return f"Internal error on this series or file, please report it: {type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return f"{subject} cannot be read: {error.strerror}"
    cause = quoted(error) if quotes_library else type(error).__name__
    advice = f"; {remedy}" if remedy else ""
    return f"{subject} cannot be read: it is damaged ({cause}){advice}"


def quoted(error: BaseException) -> str:
    """Returns the type of an exception and its first sentence, on one line.

    What follows the first sentence is advice to programmers.

    Args:
        error: An exception of any library; `MAX_QUOTED_CHARACTERS` of its sentence are quoted.
    """
    words = " ".join(str(error).split()).split(". ")[0][:MAX_QUOTED_CHARACTERS]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an exception of any library says that memory ran out.

    Args:
        error: The exception; its type or its text decides.
    """
    words = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(words) is not None
