import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from hounsfield.pipeline.batch.ledger import LEDGER_NAME, LEDGER_VERSION, Ledger, Row, RunRow
from hounsfield.pipeline.batch.status import list_series, read_status
from hounsfield.pipeline.errors import OutputError

ROW = Row("a.dcm", "1", "1.1", 1, "analysed", folder="studies/1/1.1", findings=2, content_id="a0")
RUN = RunRow("2026-01-01T10:00:00+00:00", None, 4, 2, 0)
VERSION_1 = """
CREATE TABLE series (
    path TEXT NOT NULL, study_uid TEXT NOT NULL, series_uid TEXT NOT NULL, part INTEGER NOT NULL,
    verdict TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, seconds REAL NOT NULL,
    peak_memory_mb REAL NOT NULL, notices TEXT NOT NULL, findings INTEGER NOT NULL,
    folder TEXT UNIQUE, fingerprint TEXT NOT NULL, input_stamp TEXT NOT NULL,
    finished_at TEXT NOT NULL, PRIMARY KEY (path, study_uid, series_uid, part)
) WITHOUT ROWID;
CREATE TABLE run (
    started_at TEXT NOT NULL, finished_at TEXT, studies INTEGER NOT NULL,
    studies_done INTEGER NOT NULL, studies_before INTEGER NOT NULL
);
INSERT INTO series VALUES
    ('a.dcm', '1', '1.1', 1, 'analysed', '', '', 1.5, 2.5, '', 2, 'studies/1/1.1', 'f', 'i', 't');
INSERT INTO run VALUES ('2026-01-01T10:00:00+00:00', NULL, 4, 2, 0);
PRAGMA user_version = 1;
"""


def database(folder, script):
    connection = sqlite3.connect(folder / LEDGER_NAME)
    connection.executescript(script)
    connection.close()


def version_of(folder):
    connection = sqlite3.connect(folder / LEDGER_NAME)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return version


def test_recorded_rows_are_seen_by_another_reader(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.record([ROW])
        with Ledger(tmp_path, read_only=True) as reader:
            assert reader.find(ROW.key) == ROW
            assert reader.owner(ROW.folder) == ROW


def test_a_row_replaces_the_row_of_its_key(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.record([ROW, ROW])
        assert list(ledger.rows()) == [ROW]


def test_a_row_never_takes_the_folder_of_another_silently(tmp_path):
    other = Row("b.dcm", "1", "1.1", 1, "analysed", folder=ROW.folder, content_id="b0")
    with Ledger(tmp_path) as ledger:
        ledger.record([ROW])
        with pytest.raises(sqlite3.IntegrityError):
            ledger.record([other])
        assert list(ledger.rows()) == [ROW]


@pytest.mark.parametrize(
    ("path", "series_uid", "content_id", "same"),
    [
        ("a.dcm", "1.1", "a0", True),
        ("b.dcm", "1.1", "a0", True),
        ("a.dcm", "1.1", "b0", False),
        ("a.dcm", "1.2", "a0", False),
        ("a.dcm", "1.1", "", True),
        ("b.dcm", "1.1", "", False),
    ],
)
def test_rows_are_of_the_same_images_by_content_or_else_by_path(path, series_uid, content_id, same):
    seen = {"path": path, "study_uid": "1", "series_uid": series_uid, "content_id": content_id}
    assert ROW.has_images_of(**seen) == same


def test_rows_are_counted_by_verdict_and_reason(tmp_path):
    failed = [Row(name, "", "", 1, "failed", "truncated") for name in "xy"]
    with Ledger(tmp_path) as ledger:
        ledger.record([ROW, *failed])
        assert ledger.counts() == {("analysed", ""): 1, ("failed", "truncated"): 2}


def test_progress_belongs_to_the_latest_run(tmp_path):
    with Ledger(tmp_path) as ledger:
        for studies in (3, 5):
            ledger.start_run(RunRow("2026-01-01", None, studies, 0, 0))
        ledger.note_progress(4)
        assert ledger.latest_run() == RunRow("2026-01-01", None, 5, 4, 0)


def test_every_series_is_listed_with_its_report_and_its_file(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.record([Row("in/b.nii", "s", "s.1", 1, "analysed", folder="studies/s/s.1")])
        ledger.record([Row("in/a.txt", "", "", 1, "skipped", "not_an_image")])
    lines = [series.line() for series in list_series(tmp_path)]
    assert lines == [
        "skipped  not_an_image  in/a.txt",
        "analysed  studies/s/s.1  in/b.nii",
    ]


def test_a_ledger_of_version_1_keeps_its_rows_and_becomes_one_of_this_version(tmp_path):
    database(tmp_path, VERSION_1)
    assert read_status(tmp_path).studies_done == 2  # reading changes nothing
    assert version_of(tmp_path) == 1
    with Ledger(tmp_path) as ledger:
        (row,) = ledger.rows()
        assert (row.folder, row.findings, row.content_id) == ("studies/1/1.1", 2, "")
        ledger.record([ROW])
        assert list(ledger.rows()) == [ROW]
    assert version_of(tmp_path) == LEDGER_VERSION


def test_a_ledger_of_a_later_version_is_refused(tmp_path):
    database(tmp_path, "PRAGMA user_version = 99")
    with pytest.raises(OutputError, match="must be of version 2, got 99"):
        Ledger(tmp_path)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_of_something_else_is_refused_and_stays_as_it_is(tmp_path, read_only):
    database(tmp_path, "CREATE TABLE series (title TEXT)")
    with pytest.raises(OutputError, match="must be a ledger of Hounsfield, got another database"):
        Ledger(tmp_path, read_only=read_only)
    assert version_of(tmp_path) == 0


@pytest.mark.parametrize("read_only", [True, False])
def test_a_damaged_ledger_says_that_it_can_be_deleted(tmp_path, read_only):
    (tmp_path / LEDGER_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(OutputError, match=r"is damaged: .*\. Delete it and run again: all results"):
        Ledger(tmp_path, read_only=read_only)


def test_a_damaged_page_says_so_too(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.start_run(RUN)
        ledger.record(Row(f"{i}", "1", f"1.{i}", 1, "failed", "truncated") for i in range(500))
    path = tmp_path / LEDGER_NAME
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(OutputError, match="is damaged"):
        read_status(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE series SET verdict = x'ff'",
        "UPDATE series SET reason = x'ff'",
        "UPDATE run SET studies = 'many'",
        "UPDATE run SET studies_done = x'00'",
        "UPDATE run SET started_at = 'yesterday'",
        "UPDATE run SET started_at = x'00'",
        "UPDATE run SET finished_at = '2026-13-45'",
        "UPDATE run SET started_at = CAST(x'ff' AS TEXT)",
        "DROP TABLE run",
    ],
)
def test_status_of_a_ledger_with_rows_of_another_type_is_a_sentence(tmp_path, change):
    with Ledger(tmp_path) as ledger:
        ledger.record([ROW])
        ledger.start_run(RUN)
    database(tmp_path, change)
    with pytest.raises(OutputError, match="is damaged"):
        read_status(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE run SET started_at = '2026-01-01'",
        "UPDATE run SET studies = 9223372036854775807",
        "UPDATE run SET studies_done = -5",
        "UPDATE run SET started_at = '0001-01-01T00:00:00+23:00', studies = 1000000000000",
    ],
)
def test_status_bears_figures_that_cannot_be(tmp_path, change):
    with Ledger(tmp_path) as ledger:
        ledger.start_run(RUN)
    database(tmp_path, change)
    assert read_status(tmp_path).lines()


def test_status_takes_back_what_a_killed_run_left_half_done(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.start_run(RUN)
        ledger.record([ROW])
    program = (
        "import os, signal, sqlite3, sys; connection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('PRAGMA cache_size = 1'); connection.execute('BEGIN')\n"
        "insert = \"INSERT INTO run VALUES ('x', NULL, 9, 9, 9)\"\n"
        "for _ in range(5000): connection.execute(insert)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / LEDGER_NAME)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / f"{LEDGER_NAME}-journal").stat().st_size
    assert read_status(tmp_path).studies_done == 2


def test_a_ledger_that_cannot_be_opened_asks_for_room_and_not_to_be_deleted(tmp_path):
    (tmp_path / LEDGER_NAME).mkdir()
    with pytest.raises(OutputError, match="cannot be read or written") as caught:
        Ledger(tmp_path)
    assert "Delete" not in str(caught.value)
    assert os.fspath(tmp_path) in str(caught.value)
