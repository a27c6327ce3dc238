"""The ledger ``ledger.sqlite``: the record of a run, with a row for each series considered."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, Self, get_type_hints

from hounsfield.pipeline.batch.ledger_file import (
    LEDGER_NAME,
    LEDGER_VERSION,
    damaged,
    ledger_errors,
    open_ledger,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["LEDGER_NAME", "LEDGER_VERSION", "Ledger", "Row", "RunRow"]


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
    content_id: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """The primary key."""
        return (self.path, self.study_uid, self.series_uid, self.part)

    def has_images_of(self, *, path: str, study_uid: str, series_uid: str, content_id: str) -> bool:
        """Whether this row is of the same images, wherever they were read.

        Args:
            path: Where they are now; decides only where one content is not known.
            study_uid: Their StudyInstanceUID, or what stands in its place.
            series_uid: Their SeriesInstanceUID, or what stands in its place.
            content_id: Their `Series.content_id`; may be empty.
        """
        if (self.study_uid, self.series_uid) != (study_uid, series_uid):
            return False
        if self.content_id and content_id:
            return self.content_id == content_id
        return self.path == path


_NAMES = [each.name for each in fields(Row)]
_COLUMNS = ", ".join(_NAMES)
_PLACES = ", ".join("?" for _ in _NAMES)
_KEY = ("path", "study_uid", "series_uid", "part")
_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in _KEY)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run on this output folder; the columns of the table `run`."""

    started_at: str
    finished_at: str | None
    studies: int
    studies_done: int
    studies_before: int


_TYPES: dict[type[Row | RunRow], tuple[tuple[str, Any], ...]] = {
    kind: tuple(get_type_hints(kind).items()) for kind in (Row, RunRow)
}


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
        self._connection, version = open_ledger(self._path, read_only=read_only)
        has_content = version >= 2  # an earlier ledger is read as it is, while nobody writes it
        self._columns = _COLUMNS if has_content else _COLUMNS.replace("content_id", "''")

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
        """Write rows; each replaces a row with the same key.

        Raises:
            sqlite3.IntegrityError: A row has the folder of another one; nothing is written.
        """
        statement = (
            f"INSERT INTO series ({_COLUMNS}) VALUES ({_PLACES}) "  # noqa: S608 - our own words
            f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {_UPDATES}"
        )
        with ledger_errors(self._path), self._connection:
            self._connection.executemany(statement, (astuple(row) for row in rows))

    def forget_folder(self, folder: str) -> None:
        """Delete the row of the report in `folder`, before the folder is replaced."""
        with ledger_errors(self._path), self._connection:
            self._connection.execute("DELETE FROM series WHERE folder = ?", (folder,))

    def owner(self, folder: str) -> Row | None:
        """Return the row of the report in `folder`, or None where the folder is free."""
        return next(self._select("WHERE folder = ?", (folder,)), None)

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
        with ledger_errors(self._path):
            counted = self._connection.execute(query).fetchall()
        if not all(isinstance(cell, str) for *cells, _ in counted for cell in cells):
            raise damaged(self._path, "a verdict or reason is no text")
        return {(verdict, reason): n for verdict, reason, n in counted}

    def start_run(self, row: RunRow) -> None:
        """Record the start of a run."""
        with ledger_errors(self._path), self._connection:
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
        with ledger_errors(self._path), self._connection:
            self._connection.execute(statement, (studies_done, finished_at))

    def latest_run(self) -> RunRow | None:
        """Return the run that was started last, or None."""
        with ledger_errors(self._path):
            query = "SELECT * FROM run ORDER BY rowid DESC LIMIT 1"
            run = self._connection.execute(query).fetchone()
        return None if run is None else RunRow(*self._checked(RunRow, run))

    def _select(self, clause: str, values: tuple[str | int, ...]) -> Iterator[Row]:
        with ledger_errors(self._path):
            query = f"SELECT {self._columns} FROM series {clause}"  # noqa: S608 - our own words
            for row in self._connection.execute(query, values):
                yield Row(*self._checked(Row, row))

    def _checked(self, kind: type[Row | RunRow], values: tuple[Any, ...]) -> tuple[Any, ...]:
        """SQLite keeps whatever a column is given; a cell of another type did not come from us."""
        for (name, wanted), value in zip(_TYPES[kind], values, strict=True):
            if not isinstance(value, wanted):
                cause = f"column {name} holds {type(value).__name__} instead of its own type"
                raise damaged(self._path, cause)
        return values
