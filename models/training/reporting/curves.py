"""Writes the record of a training: ``log.csv``, TensorBoard curves and sheets of pictures."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.training.reporting.sample_sheets import sheet, write_sheet
from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.csv_files import (
    csv_row_writer,
    read_csv,
    write_csv,
)

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
    """Writes into the folder of a training; see `open_curves`.

    Attributes:
        out: Folder of the training.
        board: TensorBoard's writer; None where TensorBoard is not installed.
    """

    out: Path
    board: SummaryWriter | None

    def row(self, step: int, values: dict[str, float]) -> None:
        """Adds a row to ``log.csv`` and a point to each curve.

        Args:
            step: Number of steps done so far.
            values: ``learning_rate`` and the parts of the loss; names that begin with
                ``validation_``, which may be missing, belong to the held-out samples.

        Raises:
            OutputError: The folder cannot be written.
        """
        path = self.out / LOG_FILE
        with writing_to(path):
            new = not path.exists()
            with path.open("a", newline="", encoding="utf-8") as file:
                columns = _columns(values)
                write = csv_row_writer(file)
                if new:
                    write(("step", *columns))
                write((step, *(values.get(name, "") for name in columns)))
            if self.board is not None:
                for name, value in values.items():
                    self.board.add_scalar(_curve(name), value, step)
                self.board.flush()

    def pictures(self, step: int, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Writes a sheet of pictures, ``samples/step_N.png``; nothing where there are none.

        Args:
            step: Number of steps done so far; names the file.
            pictures: Grey pictures ``[y, x]`` of any size.

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
    """Opens the record of a training that resumes after `done` steps; later rows are removed.

    TensorBoard's event files are written where it is installed.

    Args:
        out: Folder of the training.
        done: Number of steps done before; 0 for a new training.

    Yields:
        A writer for the rows and pictures of the further steps.

    Raises:
        OutputError: The folder cannot be written.
    """
    _remove_later_rows(out / LOG_FILE, done)
    with writing_to(out):
        board = _board(out / CURVES, done)
    try:
        yield Curves(out, board)
    finally:
        if board is not None:
            board.close()


def _curve(name: str) -> str:
    """The name of a curve; TensorBoard groups names by what stands before the slash."""
    if name.startswith(VALIDATION):
        return f"validation/{name.removeprefix(VALIDATION)}"
    return name if name == "learning_rate" else f"training/{name}"


def _columns(values: dict[str, float]) -> list[str]:
    """The columns: every part of the loss has one for the held-out samples too, filled or not."""
    parts = [name for name in values if not name.startswith(VALIDATION)]
    held_out = [VALIDATION + name for name in parts if name != "learning_rate"]
    return [*parts, *held_out]


def _remove_later_rows(path: Path, done: int) -> None:
    """Removes the rows that the resumed training will write again, and an incomplete one."""
    if not path.exists():
        return
    rows = list(read_csv(path))
    columns = max(rows, key=len, default={})
    kept = [row for row in rows if len(row) == len(columns) and int(row["step"]) <= done]
    if not kept:
        path.unlink()
        return
    write_csv(path, (row.values() for row in kept), columns=columns)


def _board(folder: Path, done: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter  # an extra
    except ImportError:
        log.info("tensorboard is not installed: the curves are in %s only", LOG_FILE)
        return None
    return SummaryWriter(str(folder), purge_step=done + 1 if done else None)
