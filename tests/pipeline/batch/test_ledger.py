import sqlite3

import pytest

from hounsfield.pipeline.batch.ledger import LEDGER_NAME, Ledger, Row, RunRow
from hounsfield.pipeline.errors import OutputError

ROW = Row("a.dcm", "1", "1.1", 1, "analysed", folder="studies/1/1.1", findings=2)


def test_recorded_rows_are_seen_by_another_reader(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.record([ROW])
        with Ledger(tmp_path, read_only=True) as reader:
            assert reader.find(ROW.key) == ROW


def test_a_row_replaces_its_key_and_takes_over_its_folder(tmp_path):
    moved = Row("b.dcm", "1", "1.1", 1, "analysed", folder=ROW.folder)
    with Ledger(tmp_path) as ledger:
        ledger.record([ROW, ROW])
        assert list(ledger.rows()) == [ROW]
        ledger.record([moved])
        assert list(ledger.rows()) == [moved]


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


def test_a_file_that_is_no_ledger_is_named(tmp_path):
    (tmp_path / LEDGER_NAME).write_bytes(b"not a database" * 100)
    with pytest.raises(OutputError, match=r"ledger\.sqlite cannot be read or written"):
        Ledger(tmp_path)


def test_a_ledger_of_another_version_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / LEDGER_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(OutputError, match="must be of version 1, got 99"):
        Ledger(tmp_path)
