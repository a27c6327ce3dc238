"""Reads the rows of the small tables that people hand in: comma or tab, UTF-8."""

from __future__ import annotations

import csv
import itertools
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def read_rows(path: Path) -> tuple[list[list[str]], list[int]]:
    """Reads a table as text, with or without a byte order mark; tabs where its first line has any.

    Returns:
        The rows that are not blank, and the line of each in the file, counted from 1.

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
                    rows.append(row)
                    numbers.append(reader.line_num)
            return rows, numbers
    except OSError as error:
        msg = f"{path}: must be a readable table, got: {error.strerror}"
        raise UsageError(msg) from error
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: must be a comma or tab separated text in UTF-8, got: {error}"
        raise UsageError(msg) from error
