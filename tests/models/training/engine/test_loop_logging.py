import io
import logging
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hounsfield.models.training.reporting.curves import open_curves
from hounsfield.models.training.reporting.logger import open_training_log
from hounsfield.models.training.reporting.progress import TrainingProgress
from hounsfield.models.training.reporting.sample_sheets import sheet
from tests.models.training.toy_training import toy_optimisation, toy_task, toy_train


def test_a_training_writes_its_losses_as_csv_and_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    toy_train(toy_task(), toy_optimisation(steps=7), tmp_path)
    lines = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "step,learning_rate,loss,validation_loss"
    table = [line.split(",") for line in lines[1:]]
    assert [row[0] for row in table] == ["3", "4", "6", "7"]
    assert [row[0] for row in table if row[3]] == ["6", "7"]
    events = EventAccumulator(str(tmp_path / "curves")).Reload()
    assert [event.step for event in events.Scalars("training/loss")] == [3, 4, 6, 7]
    points = {event.step: event.value for event in events.Scalars("validation/loss")}
    assert points == pytest.approx({int(row[0]): float(row[3]) for row in table if row[3]})


def test_without_tensorboard_a_training_logs_that_and_runs(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_optimisation(), tmp_path)
    assert "tensorboard is not installed" in caplog.text
    assert (tmp_path / "log.csv").exists()
    assert not (tmp_path / "curves").exists()


def test_rows_after_the_resumed_step_and_incomplete_ones_are_removed(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("step,learning_rate,loss\n3,1.0,0.5\n6,1.0,0.4\n9,1.0,0.3\n1", encoding="utf-8")
    with open_curves(tmp_path, 6):
        pass
    assert log.read_text(encoding="utf-8").split() == [
        "step,learning_rate,loss",
        "3,1.0,0.5",
        "6,1.0,0.4",
    ]


def test_pictures_are_written_at_the_start_and_at_each_validation(tmp_path):
    def pictures(batch, output):
        grey = [np.full((20, 30), 255 * index, np.uint8) for index in range(len(output) // 2)]
        return [*grey, batch["image"][0, 0, 3].clamp(0, 1).mul(255).byte().numpy()]

    toy_train(toy_task(pictures=pictures), toy_optimisation(), tmp_path)
    sheets = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert sheets == ["step_0.png", "step_12.png", "step_6.png"]
    assert np.asarray(Image.open(tmp_path / "samples" / "step_6.png")).max() == 255


def test_a_sheet_shows_every_voxel_of_every_picture():
    small, large = np.full((64, 64), 100, np.uint8), np.full((200, 150), 200, np.uint8)
    page = sheet([small, large, small])
    assert (page == 100).sum() == 2 * 128 * 128
    assert (page == 200).sum() == large.size


def test_a_process_that_is_not_the_main_one_logs_nothing(tmp_path, caplog):
    with (
        caplog.at_level(logging.INFO),
        open_training_log(
            tmp_path, is_main_process=False, done=0, steps=4, progress=None
        ) as logger,
    ):
        logger.log_step()
        logger.log_losses(1, {"learning_rate": 0.1, "loss": 1.0})
        logger.log_pictures(1, [np.zeros((4, 4), np.uint8)])
    assert not caplog.messages
    assert not list(tmp_path.iterdir())


def test_a_resumed_training_logs_from_which_step(tmp_path, caplog):
    toy_train(toy_task(), toy_optimisation(steps=4), tmp_path)
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_optimisation(steps=8), tmp_path)
    assert "resuming from step 4" in caplog.messages


def test_off_a_terminal_progress_is_lines_with_the_time_left(tmp_path, caplog):
    progress = TrainingProgress(console=Console(file=io.StringIO(), force_terminal=False))
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_optimisation(), tmp_path, progress=progress)
    lines = caplog.messages
    assert any(line.startswith("step 3/12: loss ") and "min left" in line for line in lines)
    assert sum("validation_loss" in line for line in lines) == 2


def test_on_a_terminal_progress_is_a_bar_and_no_lines(tmp_path, caplog):
    terminal = io.StringIO()
    progress = TrainingProgress(console=Console(file=terminal, force_terminal=True, width=120))
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_optimisation(), tmp_path, progress=progress)
    assert not caplog.messages
    assert "12/12" in terminal.getvalue()
    assert terminal.getvalue().count("validation_loss") == 2


def test_a_quiet_training_shows_nothing(tmp_path, caplog, capsys):
    with caplog.at_level(logging.INFO):
        toy_train(toy_task(), toy_optimisation(), tmp_path, progress=TrainingProgress(quiet=True))
    assert not caplog.messages
    assert capsys.readouterr() == ("", "")
