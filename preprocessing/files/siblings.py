"""Finds a file by the relative path that another file names, as discs and people spell it."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hounsfield.preprocessing.files.sources import ByteSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(slots=True)
class Siblings:
    """Looks beside a file, in its folder or its archive.

    A name that is not there as it is spelled is taken in another case where exactly one file has
    it: discs are copied in lower case, and headers written by hand.
    """

    _archives: dict[Path, dict[str, ByteSource]] = field(default_factory=dict)
    _spellings: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def add_archive(self, archive: Path, members: Iterable[ByteSource]) -> None:
        """Makes the members of an archive known.

        Args:
            archive: The archive on disk.
            members: Sources with an entry in it.
        """
        names = {member.entry.name: member for member in members if member.entry}
        self._archives[archive] = names
        self._spellings[str(archive)] = _by_lower_case(names)

    def find(self, source: ByteSource, parts: Sequence[str]) -> ByteSource | None:
        """Returns the file at a relative path in the folder of `source`, or in its archive.

        Args:
            source: The file that names another.
            parts: Folders and name of the other, below the folder of `source`.
        """
        if source.entry is not None:
            folder = PurePosixPath(source.entry.name).parent
            return self._member(source.path, str(folder.joinpath(*parts)))
        path = source.path.parent.joinpath(*parts)
        if not _is_file(path):
            path = self._in_other_case(source.path.parent, parts)
        return ByteSource.found(path) if _is_file(path) else None

    def _member(self, archive: Path, name: str) -> ByteSource | None:
        members = self._archives.get(archive, {})
        if name not in members:
            spellings = self._spellings[str(archive)].get(name.lower(), [])
            name = spellings[0] if len(spellings) == 1 else name
        return members.get(name)

    def _in_other_case(self, folder: Path, parts: Sequence[str]) -> Path:
        """The path with each part as its folder spells it, if one alone fits."""
        for part in parts:
            names = self._names(folder).get(part.lower(), [])
            exact = part in names
            folder = folder / (names[0] if len(names) == 1 and not exact else part)
        return folder

    def _names(self, folder: Path) -> dict[str, list[str]]:
        key = f"{folder}/"
        if key not in self._spellings:
            try:
                names = [path.name for path in folder.iterdir()]
            except (OSError, ValueError):  # ValueError: a name with a zero byte
                names = []
            self._spellings[key] = _by_lower_case(names)
        return self._spellings[key]


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - false, not an error, for a name with a zero byte


def _by_lower_case(names: Iterable[str]) -> dict[str, list[str]]:
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in names:
        spellings[name.lower()].append(name)
    return dict(spellings)
