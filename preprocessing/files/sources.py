"""`ByteSource`: a file, or a member of a zip archive that is never unpacked to disk."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from hounsfield.preprocessing.files.members import open_entry, read_entry, read_entry_head
from hounsfield.preprocessing.files.stamp import FileStamp
from hounsfield.preprocessing.printable import printable_path

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.files.archives import ZipEntry


@dataclass(frozen=True, slots=True)
class ByteSource:
    """One file, or one member of a zip archive.

    Attributes:
        path: The file, or the archive.
        entry: The member of the archive; None for a plain file.
        stamp: Size and time of the file or archive when it was found; what is opened later must
            still have them. None if that is not asked.
    """

    path: Path
    entry: ZipEntry | None = None
    stamp: FileStamp | None = field(default=None, compare=False)

    @classmethod
    def found(cls, path: Path) -> ByteSource:
        """Takes a file with its stamp; without one if it cannot be reached, as `open` will say.

        Args:
            path: A file.
        """
        try:
            return cls(path, stamp=FileStamp.of(path))
        except OSError:
            return cls(path)

    def member(self, entry: ZipEntry) -> ByteSource:
        """Returns a member of this archive.

        Args:
            entry: As `list_archive` describes it.
        """
        return ByteSource(self.path, entry, self.stamp)

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
        if self.entry is not None:
            return self.entry.size
        return self.path.stat().st_size if self.stamp is None else self.stamp.size

    def open(self) -> BinaryIO:
        """Opens for reading; seekable. A member is decompressed into memory and checked first.

        Raises:
            OSError: The file cannot be opened.
            SeriesError: The member is damaged, or larger than its archive says; or the file
                changed since it was found.
        """
        if self.entry is not None:
            return io.BytesIO(read_entry(self.path, self.entry, stamp=self.stamp))
        return self._open_file()

    def open_stream(self) -> BinaryIO:
        """Opens for reading, for headers and for large files that are read once; seekable.

        A member is decompressed while it is read, in memory that does not grow with it. Its
        checksum is compared when its last byte is read, see `drain`.

        Raises:
            OSError: The file cannot be opened.
            SeriesError: The member is not where its archive says, or the file changed since it
                was found.
        """
        if self.entry is not None:
            return open_entry(self.path, self.entry, stamp=self.stamp)
        return self._open_file()

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

    def _open_file(self) -> BinaryIO:
        file = self.path.open("rb")
        if self.stamp is not None:
            try:
                self.stamp.check(file, str(self))
            except BaseException:
                file.close()
                raise
        return file
