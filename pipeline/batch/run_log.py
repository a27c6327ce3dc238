"""The log of a run, `logs/`: identifiers and codes, never names, and no paths that may hold one."""

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
    """Sends what the pipeline logs to a new file, named after the time.

    Raises:
        OutputError: The file cannot be made.
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
    """A log that cannot be written on a full disk is not what ends the run: the ledger is."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lets the line go."""
