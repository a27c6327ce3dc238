"""The commands from outside: exit codes, one clear sentence, and nothing heavy for help."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.models.store.folders import installed_models
from hounsfield.pipeline.batch.ledger import Ledger, Row, RunRow
from hounsfield.pipeline.cli.errors import exit_on_error
from hounsfield.pipeline.cli.main import app
from hounsfield.pipeline.errors import ExitCode, OutputError, OutputHeldError
from hounsfield.preprocessing.errors import UsageError
from tests.preprocessing.volumes import make_volume


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_help_lists_exactly_the_commands_with_a_sentence_each():
    listed = re.findall(r"^│ (\w+) {2,}(\S.*?) *│$", call("--help").output, re.MULTILINE)
    assert [name for name, _ in listed] == [
        *("run", "inspect", "convert", "status", "phantom", "prepare", "train"),
        *("models", "evaluate"),
    ]
    assert all(sentence[0].isupper() for _, sentence in listed)


def test_the_version_is_printed():
    result = call("--version")
    assert result.output == f"hounsfield {version('hounsfield')}\n"
    assert result.exit_code == ExitCode.DONE


def test_listing_models_without_any_says_where_they_should_be(tmp_path):
    with pytest.raises(UsageError, match="no models are installed: searched"):
        installed_models([tmp_path])
    assert "nodule_detector" in call("models", "list").output


def test_help_imports_nothing_heavy():
    program = "import sys, hounsfield.pipeline.cli.main; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    modules = set(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    )
    assert not modules & {"torch", "monai", "numpy", "scipy", "pydantic", "pydicom", "SimpleITK"}


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "nowhere", "--out", "out"),
        ("run", ".", "--out", "out", "--config", "no-such-config"),
        ("run", ".", "--out", "out", "--workers", "0"),
        ("status", "nowhere"),
        ("inspect", "nowhere"),
        ("inspect", "n" * 300),
        ("run", ".", "--out", "n" * 300),
        ("run", ".", "--out", "out", "--config", "n" * 300),
        ("run", ".", "--out", "out", "--config", "n/" * 3000),
        ("status", "n" * 300),
        ("inspect", ".", "--config", "no-such-config"),
        ("convert", ".", "--out", "volume.nii.gz", "--config", "no-such-config"),
        ("phantom", "out", "--nodules", "5000"),
        ("convert", ".", "--out", "volume.txt"),
        ("no-such-command",),
    ],
)
def test_a_users_mistake_ends_with_2_and_a_sentence(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*words)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.strip()
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("a mistake"), 2),
        (OutputError("no room"), 5),
        (OutputHeldError("held"), 6),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("ours"), 1),
    ],
)
def test_each_way_to_end_has_its_exit_code_and_a_traceback_only_for_debug(error, code, capsys):
    for debug in (False, True):
        with pytest.raises(SystemExit) as caught, exit_on_error(debug=debug):
            raise error
        message = capsys.readouterr().err
        assert caught.value.code == code
        assert ("Traceback" in message) is debug
        assert message.splitlines()[-1].startswith("hounsfield: ")


def test_inspect_and_convert_choose_by_the_configured_kernel_as_a_run_does(tmp_path):
    for name, kernel in (("1", "B30f"), ("2", "B70f")):
        datasets = ct_datasets(make_volume(uid=f"1.2.{name}"))
        for dataset in datasets:
            dataset.StudyInstanceUID = "1.2.3"
            dataset.ConvolutionKernel = kernel
        save_series(datasets, tmp_path / "in" / name)
    (tmp_path / "sharp.yaml").write_text("series: {kernel: lung}\n")
    for config, chosen in (("default", "1.2.1.2"), (tmp_path / "sharp.yaml", "1.2.2.2")):
        result = call("inspect", tmp_path / "in", "--headers-only", "--json", "--config", config)
        rows = json.loads(result.stdout)
        assert [row["series_uid"] for row in rows if row["chosen"]] == [chosen]
        out = tmp_path / "volume.npz"
        assert call("convert", tmp_path / "in", "--out", out, "--config", config).exit_code == 0
        assert "has the preferred" in next(row["message"] for row in rows if not row["chosen"])


def test_status_prints_counts_rate_time_left_and_failures(tmp_path):
    with Ledger(tmp_path) as ledger:
        ledger.start_run(RunRow("2026-01-01T10:00:00+00:00", None, 40, 10, 10))
        ledger.note_progress(30, finished_at="2026-01-01T12:00:00+00:00")
        ledger.record([Row("a", "1", "1.1", 1, "failed", "truncated")])
    text = call("status", tmp_path).output
    for words in ("30 of 40", "10.0 studies an hour", "Time left: 1:00:00", "1 truncated"):
        assert words in text
    document = json.loads(call("status", tmp_path, "--json").output)
    assert document["failures"] == {"truncated": 1}
    assert document["seconds_left"] == 3600


def test_a_terminate_signal_ends_like_an_interrupt():
    program = (
        "import os, signal; from hounsfield.pipeline.cli.errors import exit_on_error\n"
        "with exit_on_error(debug=False): os.kill(os.getpid(), signal.SIGTERM); signal.pause()"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert ended.returncode == ExitCode.INTERRUPTED
    assert b"run the same command again to resume" in ended.stderr


def test_the_small_phantom_can_be_requested(tmp_path):
    result = call("phantom", tmp_path / "study", "--size", "small", "--nodules", 0)
    assert result.exit_code == 0
    assert len(list(Path(tmp_path / "study").rglob("*.dcm"))) == 80


def test_a_command_that_needs_training_packages_names_the_extra(capsys):
    with pytest.raises(SystemExit) as caught, exit_on_error(debug=False):
        raise ModuleNotFoundError(name="torch")
    assert caught.value.code == ExitCode.USAGE
    assert (
        "this command needs torch, which is not installed: run pip install"
        in capsys.readouterr().err
    )
    with pytest.raises(SystemExit) as caught, exit_on_error(debug=False):
        raise ModuleNotFoundError(name="hounsfield.missing")
    assert caught.value.code == ExitCode.INTERNAL
