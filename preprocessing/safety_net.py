"""The net around each file, group and codec: any surprise becomes a `SeriesError`.

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
) -> Iterator[None]:
    """Turns whatever is raised inside the ``with`` block into a `SeriesError`.

    Args:
        path: The file or folder that is at fault; None if the caller adds it.
        subject: What cannot be used, as the beginning of the sentence.
        reason: The reason of a surprise other than a lack of memory.

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
        raise surprise(error, path=path, subject=subject, reason=reason) from error


def surprise(
    error: BaseException,
    *,
    path: Path | str | None = None,
    subject: str = "The file",
    reason: Reason = Reason.UNREADABLE,
) -> SeriesError:
    """Returns the `SeriesError` for an exception that nobody expected.

    Args:
        error: Any exception but an interruption.
        path: The file or folder that is at fault, if it is a certain one.
        subject: What cannot be used, as the beginning of the sentence.
        reason: The reason, unless memory ran out.
    """
    if is_out_of_memory(error):
        msg = f"{subject} needs more memory than there is"
        return SeriesError(Reason.OUT_OF_MEMORY, msg, path=path)
    if isinstance(error, OSError) and error.strerror:
        msg = f"{subject} cannot be read: {error.strerror}"
        return SeriesError(reason, msg, path=path)
    kind = type(error).__name__
    if reason is Reason.INTERNAL:
        msg = f"Internal error on this series or file, please report it: {kind}"
    else:
        msg = f"{subject} cannot be read: it is damaged ({kind})"
    return SeriesError(reason, msg, path=path)


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an exception of any library says that memory ran out.

    Args:
        error: The exception; its type or its text decides.
    """
    words = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(words) is not None
