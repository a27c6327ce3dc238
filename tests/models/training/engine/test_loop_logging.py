import io
import logging
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hounsfield.models.training.reporting.curves import open_curves
from hounsfield.models.training.reporting.progress import TrainingProgress
from hounsfield.models.training.reporting.sample_sheets import sheet
from tests.models.training.toy_training import toy_plan, toy_task, toy_train


def test_curves_are_left_for_a_spreadsheet_and_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    toy_train(toy_task(), toy_plan(steps=7), tmp_path)
    lines = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "step,learning_rate,loss,validation_loss"
    table = [line.split(",") for line in lines[1:]]
    assert [row[0] for row in table] == ["3", "4", "6", "7"]
    assert [row[0] for row in table if row[3]] == ["6", "7"]
    events = EventAccumulator(str(tmp_path / "curves")).Reload()
    assert [event.step for event in events.Scalars("training/loss")] == [3, 4, 6, 7]
    points = {event.step: event.value for event in events.Scalars("validation/loss")}
    assert points == pytest.approx({int(row[0]): float(row[3]) for row in table if row[3]})


def test_without_tensorboard_a_training_says_so_and_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_plan(), tmp_path)
    assert "tensorboard is not installed" in caplog.text
    assert (tmp_path / "log.csv").exists()
    assert not (tmp_path / "curves").exists()


def test_rows_that_are_written_again_and_torn_ones_are_forgotten(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("step,learning_rate,loss\n3,1.0,0.5\n6,1.0,0.4\n9,1.0,0.3\n1", encoding="utf-8")
    with open_curves(tmp_path, 6):
        pass
    assert log.read_text(encoding="utf-8").split() == [
        "step,learning_rate,loss",
        "3,1.0,0.5",
        "6,1.0,0.4",
    ]


def test_pictures_of_what_the_network_is_fed_and_says_are_left_at_each_validation(tmp_path):
    def pictures(batch, output):
        grey = [np.full((20, 30), 255 * index, np.uint8) for index in range(len(output) // 2)]
        return [*grey, batch["image"][0, 0, 3].clamp(0, 1).mul(255).byte().numpy()]

    toy_train(toy_task(pictures=pictures), toy_plan(), tmp_path)
    sheets = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert sheets == ["step_0.png", "step_12.png", "step_6.png"]
    assert np.asarray(Image.open(tmp_path / "samples" / "step_6.png")).max() == 255


def test_a_sheet_shows_every_voxel_of_every_picture():
    small, large = np.full((64, 64), 100, np.uint8), np.full((200, 150), 200, np.uint8)
    page = sheet([small, large, small])
    assert (page == 100).sum() == 2 * 128 * 128
    assert (page == 200).sum() == large.size


def test_off_a_terminal_progress_is_lines_with_the_time_left(tmp_path, caplog):
    progress = TrainingProgress(console=Console(file=io.StringIO(), force_terminal=False))
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_plan(), tmp_path, progress=progress)
    lines = caplog.messages
    assert any(line.startswith("step 3/12: loss ") and "min left" in line for line in lines)
    assert sum("validation_loss" in line for line in lines) == 2


def test_on_a_terminal_progress_is_a_bar_and_no_lines(tmp_path, caplog):
    terminal = io.StringIO()
    progress = TrainingProgress(console=Console(file=terminal, force_terminal=True, width=120))
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_plan(), tmp_path, progress=progress)
    assert not caplog.messages
    assert "12/12" in terminal.getvalue()
    assert terminal.getvalue().count("validation_loss") == 2


def test_a_quiet_training_says_nothing(tmp_path, caplog, capsys):
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_plan(), tmp_path, progress=TrainingProgress(quiet=True))
    assert not caplog.messages
    assert capsys.readouterr() == ("", "")
