"""A run into the folder of an earlier one does what is left, changed or asked for again."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hounsfield.pipeline.batch import scheduler
from hounsfield.pipeline.config import RunConfig
from hounsfield.pipeline.errors import ExitCode
from hounsfield.preprocessing.files.atomic_write import publish_folder
from tests.pipeline.scripted import scripted_config

REPOSITORY = Path(__file__).parent.parent.parent.parent


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
        "import sys; from pathlib import Path; from tests.pipeline.batch.place import Place\n"
        "Place(Path(sys.argv[1])).run()"
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
