r"""The project's CSV files: text is harmless in a spreadsheet, and comes back unchanged.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-`` or ``@`` as a formula. Such text gets
a leading apostrophe, which a spreadsheet takes as "this is text"; numbers stay as they are. Control
characters, and blanks at either end, which readers strip, are written as ``\x1b`` and ``\x20``.
Whoever reads these files with `cell_text` has the same text again.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from hounsfield.preprocessing.files.atomic_write import atomic_file
from hounsfield.preprocessing.printable import UNPRINTABLE, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

_ESCAPE = r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}"
_ESCAPES = re.compile(_ESCAPE)
_UNSEEN = re.compile(rf"[{UNPRINTABLE}]|^\s+|\s+\Z")
_ESCAPED_CHARACTER = re.compile(rf"[{UNPRINTABLE}\s\\]")

_FORMULA = re.compile(rf"'*(?:\s|{_ESCAPE})*(?:[=+\-@\uff1d\uff0b\uff0d\uff20]|\\x09|\\x0d)")
"""The last four are the full-width forms, which a Japanese Excel takes for the same."""
_NUMBER = re.compile(
    r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)\s*", re.ASCII | re.IGNORECASE
)
_SEPARATOR = ";"
"""Where the decimal sign is a comma, a spreadsheet takes this as the end of a cell too."""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]*", re.ASCII)
"""Nothing to do: nearly every cell, such as a UID or a code."""


def csv_row_writer(file: TextIO) -> Callable[[Iterable[object]], None]:
    """Makes the function that writes rows of a CSV file; every CSV file is written through it.

    Args:
        file: Open for writing with ``newline=""``.

    Returns:
        A function that takes the cells of a row: numbers, text, or None for an empty cell.
    """
    writer = csv.writer(file, lineterminator="\n")

    def write(cells: Iterable[object]) -> None:
        writer.writerow([text_cell(c) if isinstance(c, str) else c for c in cells])

    return write


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Formats a header and rows as comma separated text.

    Args:
        columns: Names in the header.
        rows: Cells of each row, in the order of the columns.

    Returns:
        The text, with a newline after each row.
    """
    text = io.StringIO()
    write = csv_row_writer(text)
    for cells in (columns, *rows):
        write(cells)
    return text.getvalue()


def write_csv(
    path: Path, rows: Iterable[Iterable[object]], *, columns: Iterable[str] | None = None
) -> None:
    """Writes a CSV file atomically.

    Args:
        path: The file; an earlier one is replaced.
        rows: Cells of each row.
        columns: Names in the header; None writes none.

    Raises:
        OutputError: It cannot be written.
    """
    with atomic_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        write = csv_row_writer(file)
        if columns is not None:
            write(columns)
        for cells in rows:
            write(cells)


def read_csv(path: Path) -> Iterator[dict[str, str]]:
    """Reads a CSV file that the project wrote.

    Args:
        path: The file, whose first row is a header.

    Yields:
        Each row as text by column; a row that ends early lacks the last columns.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        for row in reader:
            yield dict(zip(header, map(cell_text, row), strict=False))


def text_cell(text: str) -> str:
    """Returns text as it stands in a cell, where no spreadsheet runs it.

    Args:
        text: Any text; a number in digits stays as it is.
    """
    if _PLAIN.fullmatch(text):
        return text
    seen = _ESCAPES.sub(_keep_literal, text)
    seen = _UNSEEN.sub(lambda match: "".join(map(escaped, match[0])), seen)
    parts = seen.split(_SEPARATOR)
    return _SEPARATOR.join(f"'{part}" if _is_formula(part) else part for part in parts)


def cell_text(cell: str) -> str:
    """Returns the text that `text_cell` made a cell of.

    Args:
        cell: A cell as it was read, without quotes; blanks at its ends do not count.
    """
    cell = cell.strip()
    if _PLAIN.fullmatch(cell):
        return cell
    parts = cell.split(_SEPARATOR)
    seen = _SEPARATOR.join(
        part[1:] if part.startswith("'") and _is_formula(part[1:]) else part for part in parts
    )
    return _ESCAPES.sub(lambda match: _character(match[0]) or match[0], seen)


def _is_formula(part: str) -> bool:
    return bool(_FORMULA.match(part)) and not _NUMBER.fullmatch(part.lstrip("'"))


def _keep_literal(match: re.Match[str]) -> str:
    """Marks a backslash that stood in the text before what would be read as an escape."""
    return match[0] if _character(match[0]) is None else escaped("\\") + match[0][1:]


def _character(escape: str) -> str | None:
    """The character of an escape; None if it is none that `text_cell` escapes."""
    code = int(escape.lstrip("\\xuU"), 16)
    character = chr(code) if code <= 0x10FFFF else ""
    return character if _ESCAPED_CHARACTER.fullmatch(character) else None
