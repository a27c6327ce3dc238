"""What a training leaves to look at: ``log.csv``, TensorBoard curves and sheets of pictures."""

from __future__ import annotations

import csv
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hounsfield.models.training.reporting.sample_sheets import sheet, write_sheet
from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger(__name__)

LOG_FILE, CURVES, SAMPLES = "log.csv", "curves", "samples"
VALIDATION = "validation_"


@dataclass(frozen=True, slots=True)
class Curves:
    """Writes into the folder of a training; see `open_curves`."""

    out: Path
    board: SummaryWriter | None

    def row(self, step: int, values: dict[str, float]) -> None:
        """Adds a row to ``log.csv`` and a point to each curve.

        Args:
            step: How many were done.
            values: ``learning_rate`` and the parts of the loss; those with ``validation_``
                before the name, which may be missing, on the held-out samples.

        Raises:
            OutputError: The folder cannot be written.
        """
        path = self.out / LOG_FILE
        with writing_to(path):
            new = not path.exists()
            with path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["step", *_columns(values)], restval="")
                if new:
                    writer.writeheader()
                writer.writerow({"step": step, **values})
            if self.board is not None:
                for name, value in values.items():
                    self.board.add_scalar(_curve(name), value, step)
                self.board.flush()

    def pictures(self, step: int, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Writes a sheet of pictures, ``samples/step_N.png``; nothing where there are none.

        Raises:
            OutputError: The folder cannot be written.
        """
        if not pictures:
            return
        page = sheet(pictures)
        write_sheet(self.out / SAMPLES / f"step_{step}.png", page)
        if self.board is not None:
            self.board.add_image("samples", page, step, dataformats="HW")


@contextmanager
def open_curves(out: Path, done: int) -> Iterator[Curves]:
    """Goes on with the curves of a training after `done` steps; what was written later goes.

    TensorBoard's event files are written where it is installed.

    Raises:
        OutputError: The folder cannot be written.
    """
    _forget_after(out / LOG_FILE, done)
    with writing_to(out):
        board = _board(out / CURVES, done)
    try:
        yield Curves(out, board)
    finally:
        if board is not None:
            board.close()


def _curve(name: str) -> str:
    """TensorBoard shows names with the same beginning together."""
    if name.startswith(VALIDATION):
        return f"validation/{name.removeprefix(VALIDATION)}"
    return name if name == "learning_rate" else f"training/{name}"


def _columns(values: dict[str, float]) -> list[str]:
    """Every part of the loss has its column for the held-out samples, filled or not."""
    parts = [name for name in values if not name.startswith(VALIDATION)]
    held_out = [VALIDATION + name for name in parts if name != "learning_rate"]
    return [*parts, *held_out]


def _forget_after(path: Path, done: int) -> None:
    """Removes the rows that the resumed training will write again, and a torn one."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        kept: list[dict[str, Any]] = [
            row for row in reader if None not in row.values() and int(row["step"]) <= done
        ]
        columns = reader.fieldnames or []
    if not kept:
        path.unlink()
        return
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(kept)


def _board(folder: Path, done: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter  # an extra
    except ImportError:
        log.info("tensorboard is not installed: the curves are in %s alone", LOG_FILE)
        return None
    return SummaryWriter(str(folder), purge_step=done + 1 if done else None)
