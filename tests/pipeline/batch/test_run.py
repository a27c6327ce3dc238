"""A run over many studies, with an analysis that does what the series' description says."""

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from hounsfield.pipeline.batch import scheduler
from hounsfield.pipeline.batch.ledger import Ledger
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import LOCK_NAME, run
from hounsfield.pipeline.batch.run_summary import RunOptions
from hounsfield.pipeline.config import RunConfig
from hounsfield.pipeline.errors import ExitCode, OutputError, OutputHeldError
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import publish_folder
from tests.pipeline.scripted import (
    fail_without_models,
    make_scripted_analyser,
    scripted_config,
    write_study,
)

REPOSITORY = Path(__file__).parent.parent.parent.parent


class Place:
    """An input and an output folder, and the runs that lead from one to the other."""

    def __init__(self, folder):
        self.folder, self.input, self.out = folder, folder / "input", folder / "out"
        self.input.mkdir()

    def write(self, uid, happens="analysed", *, series=1):
        write_study(self.input / uid / str(series), uid=uid, happens=happens, series=series)

    def run(self, *, config=None, make_analyser=make_scripted_analyser, **options):
        return run(
            [self.input],
            out=self.out,
            config=config or scripted_config(self.folder),
            progress=Progress(quiet=True),
            options=RunOptions(**options),
            make_analyser=make_analyser,
        )

    def rows(self):
        with Ledger(self.out, read_only=True) as ledger:
            return {row.series_uid: row for row in ledger.rows()}

    def calls(self):
        return (self.folder / "calls").read_text().split()

    def report(self, series_uid):
        return self.out / "studies" / series_uid.rsplit(".", 1)[0] / series_uid / "report.json"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_every_study_gets_a_report_a_row_in_each_table_and_a_place_on_the_index(place):
    place.write("1.1")
    place.write("1.2")
    summary = place.run()
    assert summary.exit_code is ExitCode.DONE
    assert summary.findings == 2
    for uid in ("1.1.1", "1.2.1"):
        assert place.report(uid).is_file()
        for table in ("worklist.csv", "findings.csv", "luna16_predictions.csv", "index.html"):
            assert uid in (place.out / table).read_text()


def test_a_broken_study_never_stops_the_others(place):
    broken = {
        "crash": "worker_crashed",
        "hang": "timed_out",
        "memory": "out_of_memory",
        "defect": "internal",
        "no lungs": "lungs_not_found",
    }
    for number, happens in enumerate(broken):
        place.write(f"1.{2 * number + 1}", happens)
        place.write(f"1.{2 * number + 2}")
    summary = place.run(config=scripted_config(place.folder, timeout_s=4))
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert dict(summary.verdicts) == {"failed": 5, "analysed": 5}
    rows = place.rows()
    for number, reason in enumerate(broken.values()):
        assert rows[f"1.{2 * number + 1}.1"].reason == reason
        assert rows[f"1.{2 * number + 1}.1"].message
        assert rows[f"1.{2 * number + 2}.1"].verdict == "analysed"


def test_two_workers_lose_only_the_series_that_ended_one_of_them(place):
    for number in range(6):
        place.write(f"1.{number}", "crash" if number == 2 else "analysed")
    summary = place.run(config=scripted_config(place.folder, workers=2))
    assert dict(summary.verdicts) == {"failed": 1, "analysed": 5}
    assert place.rows()["1.2.1"].reason == "worker_crashed"
    assert "SIGKILL" in place.rows()["1.2.1"].message


@pytest.mark.parametrize(
    ("happens", "reason", "calls"),
    [
        ("crash beside another", "", 2),
        ("crash", "worker_crashed", 2),
        ("no lungs", "lungs_not_found", 1),
    ],
)
def test_a_study_that_fails_beside_an_earlier_one_is_tried_by_itself(place, happens, reason, calls):
    write_study(place.input / "1", uid="1.1", patient="A", date="20240101")
    write_study(place.input / "2", uid="1.2", happens=happens, patient="A", date="20240701")
    place.run()
    assert place.rows()["1.2.1"].reason == reason
    assert place.calls().count("1.2.1") == calls
    assert place.rows()["1.1.1"].verdict == "analysed"


def test_the_next_best_series_is_analysed_where_the_best_fails(place):
    place.write("1.1", "crash", series=1)
    place.write("1.1", "no lungs", series=2)
    place.write("1.1", series=3)
    place.write("1.1", series=4)
    place.run()
    assert place.calls() == ["1.1.1", "1.1.2", "1.1.3"]
    assert [row.reason for row in place.rows().values()] == [
        "worker_crashed",
        "lungs_not_found",
        "",
        "better_series_chosen",
    ]


def test_a_series_that_is_no_chest_is_skipped_and_not_failed(place):
    place.write("1.1", "not chest")
    assert place.run().exit_code is ExitCode.NOTHING_TO_ANALYSE
    assert place.rows()["1.1.1"].verdict == "skipped"


def test_a_finished_run_is_not_done_again(place):
    place.write("1.1")
    place.write("1.2", "no lungs")
    first, second = place.run(), place.run()
    assert len(place.calls()) == 2
    assert second.already_done == 2
    assert (second.verdicts, second.exit_code) == (first.verdicts, first.exit_code)


def test_force_does_everything_again_and_retry_failed_what_failed(place):
    place.write("1.1")
    place.write("1.2", "second time")
    place.run()
    assert place.run(retry_failed=True).exit_code is ExitCode.DONE
    assert sorted(place.calls()) == ["1.1.1", "1.2.1", "1.2.1"]
    place.run(force=True)
    assert sorted(place.calls()) == ["1.1.1", "1.1.1", "1.2.1", "1.2.1", "1.2.1"]
    assert place.report("1.1.1").is_file()


def test_a_changed_configuration_or_changed_files_are_analysed_anew(place):
    place.write("1.1")
    config = scripted_config(place.folder)
    place.run(config=config)
    values = config.model_dump()
    values["detection"]["max_findings"] = 3
    place.run(config=RunConfig.model_validate(values))
    assert len(place.calls()) == 2
    values["run"]["timeout_s"] = 17
    place.run(config=RunConfig.model_validate(values))
    assert len(place.calls()) == 2
    next(place.input.rglob("*.dcm")).touch()
    place.run(config=RunConfig.model_validate(values))
    assert len(place.calls()) == 3


def test_a_report_that_was_removed_is_made_again(place):
    place.write("1.1")
    place.run()
    place.report("1.1.1").unlink()
    place.run()
    assert place.report("1.1.1").is_file()


def test_a_series_is_analysed_once_the_better_one_is_gone(place):
    place.write("1.1", series=1)
    place.write("1.1", series=2)
    place.run()
    assert place.calls() == ["1.1.1"]
    shutil.rmtree(place.input / "1.1" / "1")
    place.run()
    assert place.calls() == ["1.1.1", "1.1.2"]
    assert place.report("1.1.2").is_file()


def test_a_replaced_report_never_stands_under_the_row_of_the_earlier_one(place, monkeypatch):
    place.write("1.1")
    place.run()

    def stop_after_publishing(partial, final):
        publish_folder(partial, final)
        raise KeyboardInterrupt

    monkeypatch.setattr(scheduler, "publish_folder", stop_after_publishing)
    with pytest.raises(KeyboardInterrupt):
        place.run(force=True)
    assert "1.1.1" not in place.rows()
    monkeypatch.undo()
    place.run()
    assert place.rows()["1.1.1"].verdict == "analysed"


def test_a_report_of_an_earlier_version_does_not_stop_a_run_over_other_studies(place):
    place.write("1.1")
    place.run()
    place.report("1.1.1").write_text('{"version": 1}')
    shutil.rmtree(place.input / "1.1")
    place.write("1.2")
    assert place.run().exit_code is ExitCode.DONE
    assert "1.2.1" in (place.out / "findings.csv").read_text()
    assert "1.1.1" not in (place.out / "findings.csv").read_text()
    logs = "".join(path.read_text() for path in (place.out / "logs").iterdir())
    assert "left out of the tables" in logs


def test_a_killed_run_resumes_where_it_stopped(place):
    place.write("1.1")
    place.write("1.2", "kills the run once")
    place.write("1.3")
    scripted_config(place.folder)
    program = (
        "import sys; from pathlib import Path; from tests.pipeline.batch.test_run import Place\n"
        "place = Place.__new__(Place); folder = Path(sys.argv[1])\n"
        "place.folder, place.input, place.out = folder, folder / 'input', folder / 'out'\n"
        "place.run()"
    )
    command = [sys.executable, "-c", program, str(place.folder)]
    killed = subprocess.run(command, cwd=REPOSITORY, check=False)
    assert killed.returncode == -9
    assert set(place.rows()) == {"1.1.1"}
    assert place.run().exit_code is ExitCode.DONE
    assert place.calls() == ["1.1.1", "1.2.1", "1.2.1", "1.3.1"]
    assert not list(place.out.glob(".partial*"))


@pytest.fixture
def interruptible():
    """An interrupt arrives even where the tests run in the background, and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_keeps_finished_studies_and_resumes(place):
    place.write("1.1")
    place.write("1.2", "interrupts the run once")
    with pytest.raises(KeyboardInterrupt):
        place.run()
    assert "1.1.1" in (place.out / "findings.csv").read_text()
    assert place.run().exit_code is ExitCode.DONE
    assert place.calls() == ["1.1.1", "1.2.1", "1.2.1"]


def test_an_output_folder_is_held_by_one_run_at_a_time(place):
    place.write("1.1")
    place.out.mkdir()
    with (
        FileLock(place.out / LOCK_NAME),
        pytest.raises(OutputHeldError, match="another run holds"),
    ):
        place.run()


@pytest.mark.parametrize("out", ["a file/out", "a file", "/proc/out"])
def test_an_unwritable_output_folder_ends_with_its_name(place, out):
    place.write("1.1")
    (place.folder / "a file").touch()
    place.out = place.folder / out
    with pytest.raises(OutputError, match=r"out|a file") as caught:
        place.run()
    assert caught.value.exit_code == ExitCode.OUTPUT_UNWRITABLE


def test_a_full_disk_ends_the_run_and_loses_nothing_finished(place):
    place.out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place.out)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        place.write("1.1")
        place.write("1.2", "large")
        with pytest.raises(OutputError, match="No space left") as caught:
            place.run()
        assert caught.value.exit_code == ExitCode.OUTPUT_UNWRITABLE
        assert place.rows()["1.1.1"].verdict == "analysed"
        assert place.report("1.1.1").is_file()
        assert not list(place.out.glob(".partial*"))
        bigger = ["mount", "-o", "remount,size=30m", str(place.out)]
        subprocess.run(bigger, check=True)
        assert place.run().exit_code is ExitCode.DONE
        assert place.calls() == ["1.1.1", "1.2.1", "1.2.1"]
    finally:
        subprocess.run(["umount", str(place.out)], check=True)


def test_models_that_cannot_be_loaded_end_the_run_with_their_own_sentence(place):
    place.write("1.1")
    with pytest.raises(OutputError, match="no weights for"):
        place.run(make_analyser=fail_without_models)


def test_every_file_and_series_that_is_left_out_has_a_row(place):
    place.write("1.1")
    (place.input / "notes.txt").write_text("Not a series.")
    place.run()
    with Ledger(place.out, read_only=True) as ledger:
        (row,) = [row for row in ledger.rows() if row.reason == "not_an_image"]
    assert row.path == str(place.input / "notes.txt")


def test_an_input_without_any_series_has_nothing_to_analyse(place):
    (place.input / "notes.txt").write_text("Not a series.")
    assert place.run().exit_code is ExitCode.NOTHING_TO_ANALYSE


def test_nothing_is_written_inside_the_input(place):
    for out in (place.input / "out", place.folder):
        place.out = out
        with pytest.raises(UsageError, match="must be apart from the input"):
            place.run()
        assert not (place.out / LOCK_NAME).exists()
    assert not list(place.input.iterdir())


def test_no_output_holds_the_patients_name(place):
    place.write("1.1")
    place.write("1.2", "defect")
    place.run()
    for path in place.out.rglob("*"):
        assert "Phantom" not in path.name
        assert path.is_dir() or b"Phantom^Digital" not in path.read_bytes()


def test_the_worklist_puts_failed_studies_last(place):
    place.write("1.1", "no lungs")
    place.write("1.2")
    place.run()
    with (place.out / "worklist.csv").open(newline="") as file:
        assert [row["verdict"] for row in csv.DictReader(file)] == ["analysed", "failed"]


@pytest.fixture
def umask():
    """The usual umask of a computer with several users."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def permissions(out):
    made = [out, *out.rglob("*")]
    return {(path.is_dir(), path.stat().st_mode & 0o777) for path in made}


@pytest.mark.usefixtures("umask")
def test_all_output_is_readable_by_its_owner_only(place):
    place.write("1.1")
    place.out = place.folder / "new" / "out"
    place.run()
    assert permissions(place.out) == {(True, 0o700), (False, 0o600)}
    assert os.umask(0o022) == 0o022


@pytest.mark.usefixtures("umask")
def test_output_is_readable_as_the_umask_says_where_that_is_configured(place):
    place.write("1.1")
    place.run(config=scripted_config(place.folder, private_output=False))
    assert permissions(place.out) == {(True, 0o755), (False, 0o644)}


@pytest.mark.usefixtures("umask")
def test_an_output_folder_that_is_there_keeps_its_permissions(place):
    place.write("1.1")
    place.out.mkdir(mode=0o755)
    place.run()
    assert place.out.stat().st_mode & 0o777 == 0o755
    assert (place.out / "ledger.sqlite").stat().st_mode & 0o777 == 0o600
