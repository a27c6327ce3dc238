"""Reads the small tables that people submit: comma or tab, with or without a header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.delimited_text import read_rows
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Aliases = dict[str, tuple[str, ...]]
"""A column's own name, and the other names (lower case) that people give it."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns that were asked for, as text.

    Attributes:
        path: The file, for messages.
        columns: Each column's cells; an optional column that the file lacks is missing here.
        row_numbers: The line of each row in the file, counted from 1, the header included.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    row_numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.row_numbers)

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Reads one column as numbers; ``nan`` and ``inf`` are numbers here.

        Raises:
            UsageError: Naming file, row and column of the first cell that is not a number.
        """
        cells = self.columns[column]
        try:
            return np.array([float(cell) for cell in cells], dtype=np.float64)
        except ValueError:
            index = next(i for i, cell in enumerate(cells) if not _is_number(cell))
            raise self.cell_error(index, column, "a number") from None

    def finite_numbers(self, column: str) -> NDArray[np.float64]:
        """Reads one column as finite numbers.

        Raises:
            UsageError: Naming file, row and column of the first cell that is none.
        """
        values = self.numbers(column)
        if not np.isfinite(values).all():
            first = int(np.flatnonzero(~np.isfinite(values))[0])
            raise self.cell_error(first, column, "a finite number")
        return values

    def cell_error(self, index: int, column: str, wanted: str) -> UsageError:
        """Makes the error that says where a cell is wrong, and what was wanted there."""
        cell = self.columns[column][index]
        msg = (
            f"{self.path}, row {self.row_numbers[index]}, column {column}: "
            f"must be {wanted}, got {cell!r}"
        )
        return UsageError(msg)


def read_table(path: Path, required: Aliases, optional: Aliases | None = None) -> Table:
    """Reads the named columns of a comma or tab separated file.

    A first row that holds a known column name is a header, and the columns are found by name in
    any order; otherwise they are taken by position, the required ones first.

    Args:
        path: The file; UTF-8, with or without a byte order mark.
        required: Columns that must be there.
        optional: Columns that may be there.

    Raises:
        UsageError: The file cannot be read, or a column or cell is missing.
    """
    wanted = {**required, **(optional or {})}
    rows, row_numbers = read_rows(path)
    header = _header(rows[0], wanted) if rows else None
    if header is None:
        positions = {name: i for i, name in enumerate(wanted)}
        width = min((len(row) for row in rows), default=len(wanted))
        positions = {n: i for n, i in positions.items() if n in required or i < width}
    else:
        rows, row_numbers = rows[1:], row_numbers[1:]
        positions = header
        for name in required:
            if name not in positions:
                msg = (
                    f"{path}: must have a column {name} ({', '.join(required)}), "
                    f"its header has no such name"
                )
                raise UsageError(msg)
    needed = max((positions[name] for name in positions), default=-1) + 1
    for row, number in zip(rows, row_numbers, strict=True):
        if len(row) < needed:
            msg = (
                f"{path}, row {number}: must have {needed} columns ({', '.join(required)}), "
                f"got {len(row)}"
            )
            raise UsageError(msg)
    columns = {name: [row[i].strip() for row in rows] for name, i in positions.items()}
    return Table(path=path, columns=columns, row_numbers=row_numbers)


def _header(row: Sequence[str], wanted: Aliases) -> dict[str, int] | None:
    """Returns each known column's position, or None where the row names no column."""
    names = [cell.strip().lower() for cell in row]
    found: dict[str, int] = {}
    for column, aliases in wanted.items():
        for alias in (column.lower(), *aliases):
            if alias in names:
                found[column] = names.index(alias)
                break
    return found or None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
