"""What a training tells: a bar with the time left on a terminal, plain lines elsewhere."""

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

SPEED_OVER_S = 600.0
"""The time left is judged by this much of the past, which holds a validation or two."""


class TrainingProgress:
    """Tells on standard error how far a training is: the bar or the lines, never both.

    Args:
        quiet: Tells nothing.
        console: Where; else standard error.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._quiet = quiet
        self._console = console or Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task = TaskID(0)

    @contextmanager
    def steps(self, done: int, steps: int) -> Iterator[None]:
        """Tells of the steps from `done` on, as long as the context lasts."""
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
            speed_estimate_period=SPEED_OVER_S,
        )
        with self._bar:
            self._task = self._bar.add_task("Training", total=steps, completed=done)
            yield
        self._bar = None

    def stepped(self) -> None:
        """Moves the bar on."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def row(self, step: int, values: dict[str, float]) -> None:
        """Tells of the losses up to a step, as they go to ``log.csv``."""
        if self._quiet:
            return
        held_out = {n: v for n, v in values.items() if n.startswith(VALIDATION)}
        parts = {n: v for n, v in values.items() if n not in held_out and n != "learning_rate"}
        if self._bar is not None:
            self._bar.update(self._task, description=f"Training, loss {parts['loss']:.4f}")
        else:
            each = (time.monotonic() - self._started) / max(1, step - self._first)
            left = (self._total - step) * each / 60
            at = f"step {step}/{self._total}: {_shown(parts)}"
            log.info("%s, %.2f s a step, %.0f min left", at, each, left)
        if held_out:
            self.say(f"step {step}, {_shown(held_out)}")

    def say(self, sentence: str) -> None:
        """Tells one thing; above the bar where there is one."""
        if self._bar is not None:
            self._bar.console.print(sentence, markup=False)
        elif not self._quiet:
            log.info("%s", sentence)


def _shown(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in values.items())
