"""The SQLite file behind the ledger: its schema, its versions, and the sentences of its errors."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEDGER_NAME = "ledger.sqlite"
LEDGER_VERSION = 2

_SCHEMA = """
CREATE TABLE series (
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
    content_id TEXT NOT NULL DEFAULT '',  -- of its images, whatever their path; empty: not known
    PRIMARY KEY (path, study_uid, series_uid, part)
) WITHOUT ROWID;
CREATE TABLE run (
    started_at TEXT NOT NULL,       -- ISO 8601, UTC
    finished_at TEXT,               -- empty while it goes on, or when it was stopped
    studies INTEGER NOT NULL,       -- that hold something to analyse
    studies_done INTEGER NOT NULL,  -- of those: finished in this run, or found finished
    studies_before INTEGER NOT NULL -- of those done: found finished from an earlier run
);
"""
_MIGRATIONS = {1: "ALTER TABLE series ADD COLUMN content_id TEXT NOT NULL DEFAULT '';"}
"""Statements that make a ledger of this version one of the next."""

_CAUSES_OUTSIDE = frozenset(
    {
        *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM),
        *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_AUTH),
    }
)
"""Errors that say nothing of the ledger itself; after any other one it is damaged."""


def open_ledger(path: Path, *, read_only: bool) -> tuple[sqlite3.Connection, int]:
    """Open a ledger; one of an earlier version becomes one of this version, unless only read.

    Args:
        path: The file; created if missing, unless only read.
        read_only: Change nothing but what a killed run left half done.

    Returns:
        The connection, and the version of the schema behind it.

    Raises:
        OutputError: It cannot be opened, is damaged, or is not a ledger of a known version.
    """
    with ledger_errors(path):
        connection = _readable(path, read_only=read_only)
        try:
            return connection, _current_version(connection, path, read_only=read_only)
        except BaseException:
            connection.close()
            raise


@contextmanager
def ledger_errors(path: Path) -> Iterator[None]:
    """Turn the errors of SQLite into `OutputError`.

    Args:
        path: The ledger, named in the sentence.

    Yields:
        Nothing; the ledger is used inside the ``with`` block.

    Raises:
        OutputError: The ledger cannot be read or written, or is damaged.
    """
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # a defect of the program: the ledger is whole
    except UnicodeDecodeError as error:
        raise damaged(path, f"text that is not UTF-8: {error.reason}") from error
    except (sqlite3.Error, OSError) as error:
        if isinstance(error, sqlite3.Error) and not _is_outside(error):
            raise damaged(path, str(error)) from error
        msg = (
            f"{path} cannot be read or written: {error}. What was finished is kept; "
            "make room or choose another --out, and run again to resume."
        )
        raise OutputError(msg) from error


def damaged(path: Path, cause: str) -> OutputError:
    """Make the error of a ledger whose content is not what was written.

    Args:
        path: The ledger, named in the sentence.
        cause: What was found, without a full stop.

    Returns:
        The error, for the caller to raise.
    """
    msg = f"{path} is damaged: {cause}. Delete it and run again: all results are made again."
    return OutputError(msg)


def _is_outside(error: sqlite3.Error) -> bool:
    """Whether the cause is the disk, memory or another process; text that is not UTF-8 has none."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _CAUSES_OUTSIDE  # the low byte of an extended code


def _readable(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection through which the file can be read, also after a kill inside a transaction."""
    connection = _connect(path, "ro" if read_only else "rwc")
    try:
        _version(connection)
    except sqlite3.OperationalError:
        connection.close()
        if not read_only:
            raise
        connection = _connect(path, "rw")  # only who may write can take the transaction back
    return connection


def _current_version(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> int:
    """The version of the schema, after it was made or brought to this version."""
    version = _version(connection)
    is_new = version == 0 and not _has_tables(connection)
    if is_new and read_only:
        msg = f"{path} holds no run yet; try again in a moment"
        raise OutputError(msg)
    if is_new:
        _change(connection, _SCHEMA, version=LEDGER_VERSION)
    elif version == 0:
        msg = f"{path} must be a ledger of Hounsfield, got another database; choose another --out"
        raise OutputError(msg)
    while not read_only and _version(connection) in _MIGRATIONS:
        version = _version(connection)
        _change(connection, _MIGRATIONS[version], version=version + 1)
    version = _version(connection)
    if version not in {*_MIGRATIONS, LEDGER_VERSION}:
        msg = (
            f"{path} must be of version {LEDGER_VERSION}, got {version}: "
            "another version of Hounsfield made it; choose another --out"
        )
        raise OutputError(msg)
    return version


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=30)


def _version(connection: sqlite3.Connection) -> int:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    assert isinstance(version, int)
    return version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _change(connection: sqlite3.Connection, statements: str, *, version: int) -> None:
    """All or nothing: a killed process leaves no schema without its version."""
    connection.executescript(f"BEGIN; {statements} PRAGMA user_version = {version}; COMMIT;")
