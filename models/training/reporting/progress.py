"""Progress of a training: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hounsfield.models.training.reporting.curves import VALIDATION

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

SPEED_WINDOW_S = 600.0
"""The time left is estimated from this much of the past, which includes a validation or two."""


class TrainingProgress:
    """Shows on standard error how far a training is: the bar or the lines, never both.

    Args:
        quiet: Whether to show nothing at all.
        console: Terminal or file to write to; None for standard error.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._quiet = quiet
        self._console = console or Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def over_steps(self, done: int, steps: int) -> Iterator[None]:
        """Shows the progress of the steps from `done` on, as long as the context lasts.

        Args:
            done: Number of steps done before; 0 for a new training.
            steps: Number of steps at the end.
        """
        self._total, self._first, self._started = steps, done, time.monotonic()
        if self._quiet or not self._console.is_terminal:
            yield
            return
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            speed_estimate_period=SPEED_WINDOW_S,
        )
        with self._bar:
            self._task = self._bar.add_task("Training", total=steps, completed=done)
            yield
        self._bar = None

    def advance(self) -> None:
        """Advances the bar by one step."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def show_losses(self, step: int, values: dict[str, float]) -> None:
        """Shows the losses that go to ``log.csv``.

        Args:
            step: Number of steps done so far.
            values: Learning rate and parts of the loss, by name.
        """
        if self._quiet:
            return
        held_out = {n: v for n, v in values.items() if n.startswith(VALIDATION)}
        parts = {n: v for n, v in values.items() if n not in held_out and n != "learning_rate"}
        if self._bar is not None:
            self._bar.update(self._task, description=f"Training, loss {parts['loss']:.4f}")
        else:
            seconds = (time.monotonic() - self._started) / max(1, step - self._first)
            minutes_left = (self._total - step) * seconds / 60
            losses = f"step {step}/{self._total}: {_formatted(parts)}"
            log.info("%s, %.2f s a step, %.0f min left", losses, seconds, minutes_left)
        if held_out:
            self.say(f"step {step}, {_formatted(held_out)}")

    def say(self, sentence: str) -> None:
        """Shows one sentence; above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False)
        elif not self._quiet:
            log.info("%s", sentence)


def _formatted(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in values.items())
