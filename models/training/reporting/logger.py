"""Logs a training from its main process; the other processes of a group log nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.training.reporting.curves import open_curves
from hounsfield.models.training.reporting.progress import TrainingProgress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.training.reporting.curves import Curves


@dataclass(frozen=True, slots=True)
class TrainingLogger:
    """Shows the progress of a training and writes its curves and pictures.

    Attributes:
        progress: Bar on a terminal, or lines in the log.
        curves: Files in the training's folder; None in a process that is not the main one.
    """

    progress: TrainingProgress
    curves: Curves | None

    def log_step(self) -> None:
        """Counts one more step."""
        self.progress.advance()

    def log_losses(self, step: int, values: dict[str, float]) -> None:
        """Logs the losses since the row before; see `Curves.row`.

        Args:
            step: Number of steps done so far.
            values: Learning rate and parts of the loss, by name.
        """
        if self.curves is not None:
            self.curves.row(step, values)
        self.progress.show_losses(step, values)

    def log_pictures(self, step: int, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Writes pictures of input, target and prediction; see `Curves.pictures`.

        Args:
            step: Number of steps done so far.
            pictures: Grey pictures ``[y, x]`` of any size.
        """
        if self.curves is not None:
            self.curves.pictures(step, pictures)


@contextmanager
def open_training_log(
    out: Path, *, is_main_process: bool, done: int, steps: int, progress: TrainingProgress | None
) -> Iterator[TrainingLogger]:
    """Opens the log of the steps from `done` to `steps`.

    Args:
        out: Folder of the training.
        is_main_process: Whether this process logs; any other stays silent.
        done: Number of steps done before; 0 for a new training.
        steps: Number of steps at the end.
        progress: Where to show progress; None for standard error.

    Yields:
        The logger of this process.

    Raises:
        OutputError: The folder cannot be written.
    """
    if not is_main_process:
        yield TrainingLogger(TrainingProgress(quiet=True), None)
        return
    progress = progress or TrainingProgress()
    with open_curves(out, done) as curves, progress.over_steps(done, steps):
        if done:
            progress.say(f"resuming from step {done}")
        yield TrainingLogger(progress, curves)
