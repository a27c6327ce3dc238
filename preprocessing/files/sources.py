"""`ByteSource`: a file, or a member of a zip archive that is never unpacked to disk."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from hounsfield.preprocessing.files.archives import ZipEntry, read_entry, read_entry_head
from hounsfield.preprocessing.printable_path import printable_path

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ByteSource:
    """One file, or one member of a zip archive.

    Attributes:
        path: The file, or the archive.
        entry: The member of the archive; None for a plain file.
    """

    path: Path
    entry: ZipEntry | None = None

    def __str__(self) -> str:
        """The printable path; ``study.zip!folder/slice.dcm`` for a member."""
        path = printable_path(self.path)
        return f"{path}!{self.entry.name}" if self.entry else path

    def __lt__(self, other: ByteSource) -> bool:
        """Orders by printable path, so that lists of sources are the same on every machine."""
        return str(self) < str(other)

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return self.entry.name.rsplit("/", 1)[-1] if self.entry else printable_path(self.path.name)

    @property
    def folder(self) -> str:
        """Its folder, or the archive and the folder inside the archive."""
        if self.entry is None:
            return printable_path(self.path.parent)
        return f"{printable_path(self.path)}!{self.entry.name.rpartition('/')[0]}"

    def size_bytes(self) -> int:
        """Number of bytes that `open` gives, known without reading them."""
        return self.entry.size if self.entry else self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Opens for reading; seekable. A member is decompressed into memory first.

        Raises:
            OSError: The file cannot be opened.
            SeriesError: The member is damaged, or larger than its archive says.
        """
        if self.entry is None:
            return self.path.open("rb")
        return io.BytesIO(read_entry(self.path, self.entry))

    def head(self, count: int) -> bytes:
        """Reads the first `count` bytes, or all if there are fewer.

        Raises:
            OSError: The file cannot be opened.
            SeriesError: The member is damaged.
        """
        if self.entry is not None:
            return read_entry_head(self.path, self.entry, count)
        with self.path.open("rb", buffering=0) as file:
            return file.read(count)
