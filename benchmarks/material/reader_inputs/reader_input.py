"""`ReaderInput`: a valid input and its reader."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERIES_UID = "1.2.3"
"""The series that annotations and tables name."""


@dataclass(frozen=True, slots=True)
class ReaderInput:
    """A valid input and its reader.

    Attributes:
        name: Names the reader in reports.
        make: Writes the input into an existing folder; returns the file to damage.
        read: Reads that file; raises `SeriesError` or `UsageError` alone.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], object]


def text_input(name: str, file: str, text: str, read: Callable[[Path], object]) -> ReaderInput:
    """Returns an input that is one text file.

    Args:
        name: Names the reader in reports.
        file: Name of the file.
        text: Its content.
        read: Reads it; raises `SeriesError` or `UsageError` alone.
    """
    return ReaderInput(name, partial(write_text, file, text), read)


def write_text(name: str, text: str, folder: Path) -> Path:
    """Writes a text file into a folder and returns its path.

    Args:
        name: Name of the file.
        text: Its content.
        folder: An existing folder.
    """
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
