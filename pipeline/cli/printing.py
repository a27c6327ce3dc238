"""Prints lines and JSON, so that no text from a file moves the cursor or forges a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hounsfield.preprocessing.printable import printable_json, printable_text

if TYPE_CHECKING:
    from pathlib import Path


def print_lines(*lines: str | Path, err: bool = False) -> None:
    """Print lines, with control characters as escapes.

    Args:
        *lines: One line each; a line end inside one is a control character too.
        err: Print to standard error instead of standard output.
    """
    for line in lines:
        typer.echo(printable_text(str(line)), err=err)


def print_document(document: str) -> None:
    """Print a JSON document to standard output; what it says stays the same.

    Args:
        document: Indented JSON, as pydantic formats it; text in it may come from a file.
    """
    typer.echo(printable_json(document))
