"""Walks over any mixture of files and folders; each file counts once, whatever the links."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.printable import printable_path

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def walk_files(
    inputs: Sequence[Path], *, exclude: Path | None = None
) -> Iterator[Path | tuple[Path, SeriesError]]:
    """Yields every file under `inputs`, sorted by name within each folder.

    A file or folder that is reached twice (named twice, linked, in a loop of links) counts once.
    What cannot be opened is yielded with the error.

    Args:
        inputs: Files and folders in any mixture.
        exclude: A folder whose files are not input, also where a link leads to one of them, such
            as the output folder; such a link is yielded with an error.

    Raises:
        UsageError: An input does not exist or cannot be reached.
    """
    walk = _Walk(exclude.resolve() if exclude is not None else None)
    for path in inputs:
        require_reachable(path)
        yield from walk.visit(path)


def require_reachable(path: Path) -> None:
    """Refuses an input that does not exist or cannot be reached.

    Args:
        path: A file or folder that the user named.

    Raises:
        UsageError: It is missing, forbidden, in a loop of links, or no possible path.
    """
    try:
        path.stat()
    except FileNotFoundError as error:
        msg = f"{printable_path(path)} does not exist"
        raise UsageError(msg) from error
    except OSError as error:  # too long a name, no permission, a loop of links
        msg = f"{printable_path(path)} cannot be opened: {error.strerror or error}"
        raise UsageError(msg) from error
    except ValueError as error:
        raise impossible_path(path) from error


def impossible_path(path: Path | str) -> UsageError:
    """Makes the error of a path with a NUL in it, which no system takes.

    Args:
        path: What the user named.

    Returns:
        The error, for the caller to raise.
    """
    msg = f"{printable_path(path)!r} cannot be a path: it holds a NUL character"
    return UsageError(msg)


@dataclass(slots=True)
class _Walk:
    """Remembers the files and folders already visited, by device and inode.

    Attributes:
        exclude: The folder whose files are not visited, without links in its path.
    """

    exclude: Path | None
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
            if self._is_excluded(path):
                msg = "It leads into the output folder, whose files are not examined"
                yield path, SeriesError(Reason.NOT_AN_IMAGE, msg, path=path)
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

    def _is_excluded(self, path: Path) -> bool:
        """Whether a path is a link into the excluded folder, or that folder behind a link."""
        if self.exclude is None or not (path.name == self.exclude.name or path.is_symlink()):
            return False
        return path.resolve().is_relative_to(self.exclude)

    def _is_known(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        known = identity in self.visited
        self.visited.add(identity)
        return known


def _unreadable(path: Path, error: OSError) -> SeriesError:
    msg = f"The file or folder cannot be opened: {error.strerror or error}"
    return SeriesError(Reason.UNREADABLE, msg, path=path)
