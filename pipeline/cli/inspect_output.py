"""The table of ``hounsfield inspect``: one line a series, its sentences below, 100 columns wide."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from hounsfield.preprocessing.codes import Verdict
from hounsfield.preprocessing.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.pipeline.inspection import InspectionRow

GROUPED_FROM = 4
"""So many rows of one folder with the same reason become one line."""

_STYLES = {
    Verdict.ANALYSED: "green",
    Verdict.ANALYSED_WITH_NOTICES: "yellow",
    Verdict.SKIPPED: "dim",
    Verdict.FAILED: "red",
}
_WORDS = {Verdict.ANALYSED_WITH_NOTICES: "with notices"}
_COLUMNS = "{:<42}  {:>14}  {:>16}  {:<12}"
_INDENT = 4
_FILE_WIDTH = 100


def print_table(rows: Sequence[InspectionRow], console: Console | None = None) -> None:
    """Print the series that would be analysed first, then the others.

    Args:
        rows: Rows from `inspect`, in any order.
        console: Console to print to; standard output by default.
    """
    width = None if sys.stdout.isatty() else _FILE_WIDTH
    console = console or Console(highlight=False, width=width)
    root = _common_folder(rows)
    if root:
        console.print(Text(f"In {printable_text(root)}"))
    console.print(
        _COLUMNS.format("series or file", "columns rows z", "mm (x y z)", "verdict"), style="bold"
    )
    for group in _grouped(rows):
        _print_group(group, root, console)
    chosen = sum(row.chosen for row in rows)
    console.print(f"{chosen} series would be analysed, {len(rows) - chosen} series or files not.")


def _print_group(group: Sequence[InspectionRow], root: str, console: Console) -> None:
    row = group[0]
    verdict = _WORDS.get(row.verdict, row.verdict.value)
    if len(group) > 1:
        place = f"{_relative(str(PurePath(row.path).parent), root)}: {len(group)} of them"
        reason = row.reason.value if row.reason else ""
        line = f"{_shortened(place):<42}  {reason:<32}  {verdict}"
        console.print(Text(printable_text(line), style=_STYLES[row.verdict]))
        return
    place = _shortened(printable_text(_relative(row.path, root)))
    line = _COLUMNS.format(place, _size(row), _spacing(row), verdict)
    console.print(Text(line.rstrip(), style=_STYLES[row.verdict]))
    for sentence in _sentences(row):
        text = Text(printable_text(sentence))
        console.print(Padding(text, (0, 0, 0, _INDENT), expand=False))


def _grouped(rows: Sequence[InspectionRow]) -> list[list[InspectionRow]]:
    """Group the rows of one folder with the same reason, where they are many."""
    by_cause: dict[object, list[InspectionRow]] = defaultdict(list)
    for index, row in enumerate(rows):
        cause = (str(PurePath(row.path).parent), row.reason)
        by_cause[cause if row.reason else index].append(row)
    groups: list[list[InspectionRow]] = []
    for group in by_cause.values():
        groups += [group] if len(group) >= GROUPED_FROM else [[row] for row in group]
    return sorted(groups, key=lambda group: (not group[0].chosen, group[0].path))


def _sentences(row: InspectionRow) -> list[str]:
    """Description, reason and notices of a row."""
    kind = ", ".join(filter(None, [row.description, row.orientation]))
    reason = [f"{row.reason.value}: {row.message}"] if row.reason else []
    notices = [f"{notice.code.value}: {notice.message}" for notice in row.notices]
    return [sentence for sentence in (kind, *reason, *notices) if sentence]


def _common_folder(rows: Sequence[InspectionRow]) -> str:
    folders = {str(PurePath(row.path).parent) for row in rows}
    try:
        return os.path.commonpath(folders)
    except ValueError:  # none, or absolute and relative paths
        return ""


def _relative(path: str, root: str) -> str:
    return os.path.relpath(path, root) if root and PurePath(path).is_relative_to(root) else path


def _shortened(place: str, width: int = 42) -> str:
    return place if len(place) <= width else f"…{place[1 - width :]}"


def _size(row: InspectionRow) -> str:
    return "" if row.shape_zyx is None else " ".join(f"{n:4d}" for n in reversed(row.shape_zyx))


def _spacing(row: InspectionRow) -> str:
    return "" if row.spacing_mm is None else " ".join(f"{mm:.2f}" for mm in row.spacing_mm)
