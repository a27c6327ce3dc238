"""`FileStamp`: tells whether a file is still the one that was found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Size and time of a file when it was found.

    Attributes:
        size: Number of bytes.
        mtime_ns: Time of the last change, in nanoseconds.
    """

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """Takes the stamp of a file.

        Raises:
            OSError: The file cannot be reached.
        """
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)

    def check(self, file: BinaryIO, path: Path | str) -> None:
        """Compares an open file with this stamp; offsets that were read before still hold then.

        Args:
            file: An open file of the operating system, which has a descriptor.
            path: Its path, or that of the member of an archive that is read, for the error.

        Raises:
            SeriesError: The file is another one, or has been written to.
        """
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            msg = "The file changed since it was found; run again when nothing writes to it"
            raise SeriesError(Reason.UNREADABLE, msg, path=path)
