"""Where bytes come from: a file, or a member of a zip archive that is never unpacked to disk."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class ByteSource:
    """One file, or one member of a zip archive.

    Attributes:
        path: The file, or the archive.
        member: Name inside the archive; empty for a plain file.
    """

    path: Path
    member: str = ""

    def __str__(self) -> str:
        """The name for messages: ``study.zip!folder/slice.dcm`` for a member."""
        return f"{self.path}!{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return self.member.rsplit("/", 1)[-1] if self.member else self.path.name

    def open(self) -> BinaryIO:
        """Opens for reading; seekable. A member is decompressed into memory first."""
        if not self.member:
            return self.path.open("rb")
        with zipfile.ZipFile(self.path) as archive:
            return io.BytesIO(archive.read(self.member))
