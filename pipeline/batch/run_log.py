"""The log of a run in ``logs/``: identifiers and codes, no names, no paths that may hold one."""

from __future__ import annotations

import logging
import re
import traceback
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import writing_to
from hounsfield.preprocessing.errors import HounsfieldError
from hounsfield.preprocessing.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_INDENT = "    "
_ABSOLUTE_PATH = re.compile(r"(?:^|[^\w.])(?:/|[A-Za-z]:\\)[^\s/]")
_MIN_NAME = 3
"""A folder named 1 or CT is nobody's name, and would stand in too many texts."""
_LEFT_OUT = "(its text is left out, it may name a file)"


@contextmanager
def log_to_folder(folder: Path) -> Iterator[None]:
    """Log to a new file, named after the time of the start.

    Args:
        folder: Folder of the logs, created if missing.

    Yields:
        Nothing; what is logged inside goes to the file.

    Raises:
        OutputError: The file cannot be created.
    """
    with writing_to(folder):
        folder.mkdir(exist_ok=True)
        name = datetime.now(UTC).strftime("run-%Y%m%dT%H%M%S%fZ.log")
        handler = _PatientFileHandler(folder / name, encoding="utf-8")
    handler.setFormatter(PrintableFormatter(_FORMAT))
    logger = logging.getLogger("hounsfield")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except Exception as error:
        if not isinstance(error, HounsfieldError):
            details = traceback_without_names(error)
            logger.error("an internal error ended the run", extra=with_details(details))  # noqa: TRY400
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


def traceback_without_names(error: BaseException, *, names: Iterable[str] = ()) -> str:
    """Format a traceback whose exceptions say nothing of the files that were read.

    Args:
        error: The exception, with those that led to it.
        names: Paths and file names that may be a patient's.

    Returns:
        The calls as Python prints them; the text of an exception only where it holds neither an
        absolute path nor one of the names.
    """
    names = [name for name in names if len(name) >= _MIN_NAME]
    lines: list[str] = []
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        text = str(each)
        if _ABSOLUTE_PATH.search(text) or any(name in text for name in names):
            text = _LEFT_OUT
        called = "".join(traceback.format_tb(each.__traceback__))
        lines.append(f"Traceback (most recent call last):\n{called}{type(each).__name__}: {text}")
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "\nwhich led to\n".join(reversed(lines))


def with_details(details: str) -> dict[str, str]:
    """Return what a log call takes as ``extra`` to have lines below its message.

    Args:
        details: Several lines, such as a traceback.
    """
    return {"details": details}


class PrintableFormatter(logging.Formatter):
    """Writes a message as one line, whatever it quotes, and details and tracebacks indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Escape control characters; add the details, each line of them indented."""
        line = printable_text(super().formatMessage(record))
        return line + _indented(getattr(record, "details", ""))

    def formatException(  # noqa: N802 - logging's own name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Escape and indent a traceback."""
        return _indented(super().formatException(ei)).removeprefix("\n")


class _PatientFileHandler(logging.FileHandler):
    """A file handler that drops lines on a full disk: the ledger ends the run, not the log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Drop the line."""


def _indented(text: str) -> str:
    """Each line on a line of its own that begins with blanks: it cannot pass for a message."""
    return "".join(f"\n{_INDENT}{printable_text(line)}" for line in text.split("\n") if line)
