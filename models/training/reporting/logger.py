"""What the leading process of a training tells and leaves; the others tell nothing."""

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
class Telling:
    """Curves and pictures for later, progress for now.

    Attributes:
        curves: None in a process that does not lead.
    """

    progress: TrainingProgress
    curves: Curves | None

    def stepped(self) -> None:
        """One more step is done."""
        self.progress.stepped()

    def row(self, step: int, values: dict[str, float]) -> None:
        """The losses up to a step; see `Curves.row`."""
        if self.curves is not None:
            self.curves.row(step, values)
        self.progress.row(step, values)

    def pictures(self, step: int, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """What the network was fed, should answer and answers; see `Curves.pictures`."""
        if self.curves is not None:
            self.curves.pictures(step, pictures)


@contextmanager
def telling(
    out: Path, *, is_main_process: bool, done: int, steps: int, progress: TrainingProgress | None
) -> Iterator[Telling]:
    """Opens what is told of the steps from `done` to `steps`.

    Raises:
        OutputError: The folder cannot be written.
    """
    if not is_main_process:
        yield Telling(TrainingProgress(quiet=True), None)
        return
    progress = progress or TrainingProgress()
    with open_curves(out, done) as curves, progress.steps(done, steps):
        if done:
            progress.say(f"going on from step {done}")
        yield Telling(progress, curves)
