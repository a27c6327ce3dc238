"""Reads small tables that people write: comma or tab separated, with or without a header."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.csv_files import cell_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MAX_SHOWN_CHARACTERS = 60
"""A wrong cell is quoted in a message up to this length."""

MAX_INTEGER = 2.0**53
"""From here on a float stands for several integers."""

Aliases = dict[str, tuple[str, ...]]
"""A column's own name, and the other names (lower case) that people give it."""


@dataclass(frozen=True, slots=True)
class Table:
    """Some columns of a file, as text.

    Attributes:
        path: The file, for messages.
        columns: Cells of each column by its own name; an optional column that the file lacks is
            missing here.
        row_numbers: Line of each row in the file, counted from 1, the header included.
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
        import numpy as np  # only where a table of numbers is read

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
        import numpy as np  # only where a table of numbers is read

        values = self.numbers(column)
        if not np.isfinite(values).all():
            first = int(np.flatnonzero(~np.isfinite(values))[0])
            raise self.cell_error(first, column, "a finite number")
        return values

    def integers(self, column: str) -> NDArray[np.int64]:
        """Reads one column as integers; ``3.0`` is one.

        Raises:
            UsageError: Naming file, row and column of the first cell that is none.
        """
        import numpy as np  # only where a table of numbers is read

        values = self.finite_numbers(column)
        whole = np.rint(values)
        wrong = (values != whole) | (np.abs(values) > MAX_INTEGER)
        if wrong.any():
            raise self.cell_error(int(np.flatnonzero(wrong)[0]), column, "an integer")
        return whole.astype(np.int64)

    def cell_error(self, index: int, column: str, wanted: str) -> UsageError:
        """Makes the error that says where a cell is wrong, and what it must be.

        Args:
            index: Index of the row in `columns`, from 0.
            column: The column's own name.
            wanted: What the cell must be, to stand behind "must be".

        Returns:
            The error, for the caller to raise.
        """
        cell = self.columns[column][index]
        shown = repr(cell[:MAX_SHOWN_CHARACTERS]) + "..." * (len(cell) > MAX_SHOWN_CHARACTERS)
        msg = (
            f"{self.path}, row {self.row_numbers[index]}, column {column}: "
            f"must be {wanted}, got {shown}"
        )
        return UsageError(msg)


def read_table(
    path: Path, required: Aliases, optional: Aliases | None = None, *, positional: bool = True
) -> Table:
    """Reads the named columns of a comma or tab separated file; other columns are ignored.

    A first row that holds a known column name is a header, and the columns are found by name in
    any order. Without one they are taken by position, the required ones first.

    Args:
        path: The file; UTF-8, with or without a byte order mark.
        required: Columns that the file must have, in the order of a file without a header.
        optional: Columns that the file may have, which follow the required ones.
        positional: Whether a file without a header is accepted.

    Returns:
        The columns that the file has, their cells stripped of blanks.

    Raises:
        UsageError: The file cannot be read, or a column or cell is missing.
    """
    wanted = {**required, **(optional or {})}
    rows, row_numbers = read_rows(path)
    header = _header(rows[0], wanted) if rows else None
    if header is None and not positional:
        msg = f"{path}: must have a header with the columns {', '.join(required)}, but has none"
        raise UsageError(msg)
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
    columns = {name: [row[i] for row in rows] for name, i in positions.items()}
    return Table(path=path, columns=columns, row_numbers=row_numbers)


def read_rows(path: Path) -> tuple[list[list[str]], list[int]]:
    """Reads a table as text; its first line decides whether tabs or commas separate cells.

    Args:
        path: The file; UTF-8, with or without a byte order mark.

    Returns:
        The rows that are not blank, their cells stripped of blanks and as `cell_text` reads them,
        and the line of each in the file, counted from 1.

    Raises:
        UsageError: The file cannot be read, is not UTF-8, or its quotes are broken.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip()), "")
            file.seek(0)
            reader = csv.reader(
                itertools.chain(file), delimiter="\t" if "\t" in first else ",", strict=True
            )
            rows, numbers = [], []
            for row in reader:
                if any(cell.strip() for cell in row):
                    rows.append([cell_text(cell) for cell in row])
                    numbers.append(reader.line_num)
            return rows, numbers
    except OSError as error:
        msg = f"{path}: must be a readable table, got: {error.strerror}"
        raise UsageError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: must be a comma or tab separated text in UTF-8, got: {error}"
        raise UsageError(msg) from error


def _header(row: Sequence[str], wanted: Aliases) -> dict[str, int] | None:
    """Returns the position of each known column, or None where the row names no column."""
    names = [cell.strip().lower() for cell in row]
    positions: dict[str, int] = {}
    for column, aliases in wanted.items():
        for alias in (column.lower(), *aliases):
            if alias in names:
                positions[column] = names.index(alias)
                break
    return positions or None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
