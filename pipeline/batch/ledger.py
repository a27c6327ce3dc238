"""The ledger ``ledger.sqlite``: the record of a run, with a row for each series considered."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Self

from hounsfield.pipeline.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

LEDGER_NAME = "ledger.sqlite"
LEDGER_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    path TEXT NOT NULL,             -- file, archive or folder
    study_uid TEXT NOT NULL,        -- empty for a file that belongs to no series
    series_uid TEXT NOT NULL,
    part INTEGER NOT NULL,          -- from 1: acquisitions of one series at one path
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,           -- empty where it was analysed
    message TEXT NOT NULL,
    seconds REAL NOT NULL,
    peak_memory_mb REAL NOT NULL,
    notices TEXT NOT NULL,          -- codes, with commas
    findings INTEGER NOT NULL,
    folder TEXT UNIQUE,             -- of its report, inside the output folder
    fingerprint TEXT NOT NULL,      -- of version, weights and configuration
    input_stamp TEXT NOT NULL,      -- of its files' names, sizes and dates
    finished_at TEXT NOT NULL,      -- ISO 8601, UTC
    PRIMARY KEY (path, study_uid, series_uid, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (
    started_at TEXT NOT NULL,       -- ISO 8601, UTC
    finished_at TEXT,               -- empty while it goes on, or when it was stopped
    studies INTEGER NOT NULL,       -- that hold something to analyse
    studies_done INTEGER NOT NULL,  -- of those: finished in this run, or found finished
    studies_before INTEGER NOT NULL -- of those done: found finished from an earlier run
);
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One series, or one file that belongs to none; the columns of the table `series`."""

    path: str
    study_uid: str
    series_uid: str
    part: int
    verdict: str
    reason: str = ""
    message: str = ""
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    notices: str = ""
    findings: int = 0
    folder: str | None = None
    fingerprint: str = ""
    input_stamp: str = ""
    finished_at: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The primary key."""
        return (self.path, self.study_uid, self.series_uid, self.part)


_COLUMNS = ", ".join(each.name for each in fields(Row))
_PLACES = ", ".join("?" for _ in fields(Row))


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run on this output folder; the columns of the table `run`."""

    started_at: str
    finished_at: str | None
    studies: int
    studies_done: int
    studies_before: int


class Ledger:
    """Reads and writes the ledger; each writing method is durable when it returns.

    Args:
        folder: Output folder of the run.
        read_only: Open an existing ledger, also while a run is writing.

    Raises:
        OutputError: It cannot be opened, or (from any method) not be written.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._path = folder / LEDGER_NAME
        with self._failing_as_output():
            mode = "ro" if read_only else "rwc"
            uri = f"{self._path.resolve().as_uri()}?mode={mode}"
            self._connection = sqlite3.connect(uri, uri=True, timeout=30)
            if not read_only:
                self._connection.executescript(_SCHEMA)
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not read_only:
                self._connection.execute(f"PRAGMA user_version = {LEDGER_VERSION}")
                version = LEDGER_VERSION
        if version != LEDGER_VERSION:
            msg = (
                f"{self._path} must be of version {LEDGER_VERSION}, got {version}: "
                "another version of Hounsfield made it; choose another --out"
            )
            raise OutputError(msg)

    def __enter__(self) -> Self:
        """Closes the ledger at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()

    def record(self, rows: Iterable[Row]) -> None:
        """Write rows; each replaces a row with the same key or folder."""
        statement = f"INSERT OR REPLACE INTO series ({_COLUMNS}) VALUES ({_PLACES})"  # noqa: S608
        with self._failing_as_output(), self._connection:
            self._connection.executemany(statement, (astuple(row) for row in rows))

    def forget_folder(self, folder: str) -> None:
        """Delete the row of the report in `folder`, before the folder is replaced."""
        with self._failing_as_output(), self._connection:
            self._connection.execute("DELETE FROM series WHERE folder = ?", (folder,))

    def find(self, key: tuple[str, str, str, int]) -> Row | None:
        """Return the row of a key, or None."""
        where = "WHERE path = ? AND study_uid = ? AND series_uid = ? AND part = ?"
        return next(self._select(where, key), None)

    def rows(self) -> Iterator[Row]:
        """Iterate over all rows, by study, series and path."""
        return self._select("ORDER BY study_uid, series_uid, path, part", ())

    def counts(self) -> dict[tuple[str, str], int]:
        """Count the rows by (verdict, reason)."""
        query = "SELECT verdict, reason, COUNT(*) FROM series GROUP BY 1, 2 ORDER BY 1, 2"
        with self._failing_as_output():
            return {(verdict, reason): n for verdict, reason, n in self._connection.execute(query)}

    def start_run(self, row: RunRow) -> None:
        """Record the start of a run."""
        with self._failing_as_output(), self._connection:
            self._connection.execute("INSERT INTO run VALUES (?, ?, ?, ?, ?)", astuple(row))

    def note_progress(self, studies_done: int, *, finished_at: str | None = None) -> None:
        """Record the progress of the latest run.

        Args:
            studies_done: Number of studies finished so far, those of earlier runs included.
            finished_at: End of the run, ISO 8601 in UTC; None while it is running.
        """
        statement = (
            "UPDATE run SET studies_done = ?, finished_at = ? "
            "WHERE rowid = (SELECT MAX(rowid) FROM run)"
        )
        with self._failing_as_output(), self._connection:
            self._connection.execute(statement, (studies_done, finished_at))

    def latest_run(self) -> RunRow | None:
        """Return the run that was started last, or None."""
        with self._failing_as_output():
            query = "SELECT * FROM run ORDER BY rowid DESC LIMIT 1"
            run = self._connection.execute(query).fetchone()
        return None if run is None else RunRow(*run)

    def _select(self, clause: str, values: tuple[str | int, ...]) -> Iterator[Row]:
        with self._failing_as_output():
            query = f"SELECT {_COLUMNS} FROM series {clause}"  # noqa: S608 - only our own words
            for row in self._connection.execute(query, values):
                yield Row(*row)

    @contextmanager
    def _failing_as_output(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            msg = (
                f"{self._path} cannot be read or written: {error}. What was finished is kept; "
                "make room or choose another --out, and run again to resume."
            )
            raise OutputError(msg) from error
