"""One door for whatever reads a case: what goes wrong inside costs that case alone."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import HounsfieldError, SeriesError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

MAX_QUOTED_CHARACTERS = 160
"""The words of a library are quoted up to this length."""


@contextmanager
def one_case(what: str, path: Path | None = None) -> Iterator[None]:
    """Turns everything that a parser, a codec or a label can raise into `SeriesError`.

    A list of exceptions would never be complete: pydicom's own do not derive from ValueError, and
    a codec in Rust panics with one that does not derive from Exception. Interruptions and the
    project's own exceptions pass.

    Args:
        what: What is read, to stand behind "cannot be read as": ``DICOM``, ``XML``.
        path: The file that is read; None where it is not a single one.

    Yields:
        Nothing; the reading happens inside the ``with`` block.

    Raises:
        SeriesError: With `path`, and the words of the library.
    """
    try:
        yield
    except SeriesError as error:
        raise (error if path is None else error.with_path(path)) from error.__cause__
    except (HounsfieldError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except MemoryError as error:
        msg = f"There is not enough memory to read it as {what}"
        raise SeriesError(Reason.OUT_OF_MEMORY, msg, path=path) from error
    except BaseException as error:
        log.debug("a case cannot be read", exc_info=True)
        # Of the library's words the first sentence: what follows is advice to programmers.
        words = " ".join(str(error).split()).split(". ")[0][:MAX_QUOTED_CHARACTERS]
        cause = f"{type(error).__name__}: {words}" if words else type(error).__name__
        subject = "It" if path is None else "The file"
        msg = f"{subject} cannot be read as {what} ({cause}); download it again"
        raise SeriesError(Reason.UNREADABLE, msg, path=path) from error
