"""The log of a run in ``logs/``: identifiers and codes, no names, no paths that may hold one."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import writing_to
from hounsfield.preprocessing.errors import HounsfieldError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORMAT = "%(asctime)s %(levelname)s %(message)s"


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
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger = logging.getLogger("hounsfield")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except Exception as error:
        if not isinstance(error, HounsfieldError):
            logger.exception("an internal error ended the run")
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


class _PatientFileHandler(logging.FileHandler):
    """A file handler that drops lines on a full disk: the ledger ends the run, not the log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Drop the line."""
