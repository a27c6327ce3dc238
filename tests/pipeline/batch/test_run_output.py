"""The output folder of a run: who may hold it, write it and read it, and what it never holds."""

import csv
import os
import subprocess

import pytest
from filelock import FileLock

from hounsfield.pipeline.batch.run import LOCK_NAME
from hounsfield.pipeline.errors import ExitCode, OutputError, OutputHeldError
from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.scripted import scripted_config


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
