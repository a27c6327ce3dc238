"""Walks over any mixture of files and folders; each file counts once, whatever the links."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.printable_path import printable_path

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def walk_files(inputs: Sequence[Path]) -> Iterator[Path | tuple[Path, SeriesError]]:
    """Yields every file under `inputs`, sorted by name within each folder.

    A file or folder that is reached twice (named twice, linked, in a loop of links) counts once.
    What cannot be opened is yielded with the error.

    Args:
        inputs: Files and folders in any mixture.

    Raises:
        UsageError: An input does not exist or cannot be reached.
    """
    walk = _Walk()
    for path in inputs:
        try:
            path.stat()
        except FileNotFoundError as error:
            msg = f"{printable_path(path)} does not exist"
            raise UsageError(msg) from error
        except OSError as error:  # too long a name, no permission, a loop of links
            msg = f"{printable_path(path)} cannot be opened: {error.strerror or error}"
            raise UsageError(msg) from error
        yield from walk.visit(path)


@dataclass(slots=True)
class _Walk:
    """Remembers the files and folders already visited, by device and inode."""

    visited: set[tuple[int, int]] = field(default_factory=set)

    def visit(self, start: Path) -> Iterator[Path | tuple[Path, SeriesError]]:
        waiting = [start]
        while waiting:
            path = waiting.pop()
            try:
                status = path.stat()
            except OSError as error:
                yield path, _unreadable(path, error)
                continue
            if self._is_known(status):
                continue
            if stat.S_ISDIR(status.st_mode):
                try:
                    waiting.extend(sorted(path.iterdir(), reverse=True))
                except OSError as error:
                    yield path, _unreadable(path, error)
            elif stat.S_ISREG(status.st_mode):
                yield path
            else:
                msg = "Neither a file nor a folder (a pipe, socket or device)"
                yield path, SeriesError(Reason.NOT_AN_IMAGE, msg, path=path)

    def _is_known(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        known = identity in self.visited
        self.visited.add(identity)
        return known


def _unreadable(path: Path, error: OSError) -> SeriesError:
    msg = f"The file or folder cannot be opened: {error.strerror or error}"
    return SeriesError(Reason.UNREADABLE, msg, path=path)
