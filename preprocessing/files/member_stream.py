"""Reads a member of a zip archive as a stream, in memory that does not grow with the member."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from hounsfield.preprocessing.files.archives import ZipEntry

HEAD_BYTES: Final = 4 * 2**20
"""The first bytes of a member, which are kept: readers of headers go back to them."""

_CHUNK_BYTES: Final = 128 * 1024
_READAHEAD_BYTES: Final = 32 * 1024


def member_stream(file: BinaryIO, start: int, entry: ZipEntry, path: str) -> BinaryIO:
    """Opens a member for reading and seeking.

    Forward, bytes are decompressed and passed over; backward, beyond `HEAD_BYTES`, the member is
    decompressed from its beginning again. When the last byte is reached the checksum is compared.

    Args:
        file: The archive, open; closed with the stream.
        start: First byte of the compressed data in the archive.
        entry: Compression, sizes and checksum of the member, by the archive's directory.
        path: The archive and the member as ``archive.zip!member``, which errors name.

    Returns:
        A stream whose `read` raises `SeriesError` where the member is damaged or larger than the
        archive says.

    Raises:
        SeriesError: The compression method is not supported.
    """
    if entry.method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        msg = f"Zip compression method {entry.method} is not supported; use deflate"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg, path=path)
    return io.BufferedReader(_Member(file, start, entry, path), _READAHEAD_BYTES)


class _Member(io.RawIOBase):
    """The decompressed bytes of a member; see `member_stream`."""

    def __init__(self, file: BinaryIO, start: int, entry: ZipEntry, path: str) -> None:
        self._file = file
        self._start = start
        self._entry = entry
        self._path = path
        self._position = 0
        self._head = bytearray()
        self._restart()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._entry.size}
        position = origin[whence] + offset
        if position < 0:
            msg = f"The position in a stream cannot be negative, got {position}"
            raise ValueError(msg)
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = min(len(buffer), self._entry.size - self._position)
        if count <= 0:
            if self._entry.size == 0:
                self._check_end()
            return 0
        if self._position < len(self._head):
            data = bytes(self._head[self._position : self._position + count])
        else:
            data = self._data_at(self._position, count)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _restart(self) -> None:
        deflated = self._entry.method == zipfile.ZIP_DEFLATED
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if deflated else None
        self._packed_read = 0
        self._pending = b""
        self._chunk, self._chunk_start = b"", 0
        self._crc = 0

    @property
    def _reached(self) -> int:
        return self._chunk_start + len(self._chunk)

    def _data_at(self, position: int, count: int) -> bytes:
        """At least 1 and at most `count` bytes, passing over what lies before them."""
        if position < self._chunk_start:
            self._restart()
        while position >= self._reached:
            self._next_chunk()
        begin = position - self._chunk_start
        return self._chunk[begin : begin + count]

    def _next_chunk(self) -> None:
        """Decompresses the next bytes, at least one; they are counted and checked."""
        begin, chunk = self._reached, self._decompressed()
        self._chunk, self._chunk_start = chunk, begin
        if begin <= len(self._head) < min(self._reached, HEAD_BYTES):
            self._head += chunk[len(self._head) - begin : HEAD_BYTES - begin]
        self._crc = zlib.crc32(chunk, self._crc)
        if self._reached == self._entry.size:
            self._check_end()

    def _decompressed(self) -> bytes:
        wanted = min(_CHUNK_BYTES, self._entry.size - self._reached)
        if self._inflater is None:
            return self._packed(wanted) or self._cut()
        while True:
            packed = self._pending or self._packed(_CHUNK_BYTES)
            chunk = self._inflated(packed, wanted)
            if chunk:
                return chunk
            if not packed or self._inflater.eof:
                self._cut()

    def _inflated(self, packed: bytes, limit: int) -> bytes:
        assert self._inflater is not None
        try:
            chunk = self._inflater.decompress(packed, limit)
        except zlib.error as error:
            msg = f"The compressed data are damaged ({error}); copy the zip archive again"
            raise SeriesError(Reason.UNREADABLE, msg, path=self._path) from error
        self._pending = self._inflater.unconsumed_tail
        return chunk

    def _packed(self, count: int) -> bytes:
        count = min(count, self._entry.compressed_size - self._packed_read)
        self._file.seek(self._start + self._packed_read)
        packed = self._file.read(count)
        self._packed_read += len(packed)
        return packed

    def _cut(self) -> bytes:
        msg = (
            f"{self._entry.size} bytes expected, {self._reached} unpacked; copy the zip archive "
            "again"
        )
        raise SeriesError(Reason.TRUNCATED, msg, path=self._path)

    def _check_end(self) -> None:
        if self._inflater is not None and self._inflated(self._pending or self._packed(64), 1):
            msg = (
                f"The file unpacks to more than the {self._entry.size} bytes that the archive "
                "promises"
            )
            raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=self._path)
        if self._crc != self._entry.crc:
            msg = "The checksum does not match; the zip archive is damaged, copy it again"
            raise SeriesError(Reason.UNREADABLE, msg, path=self._path)


def drain(file: BinaryIO) -> None:
    """Reads a file to its end, so that the checksum of a member of an archive is compared.

    Args:
        file: Open for reading, anywhere.

    Raises:
        SeriesError: The member is damaged.
    """
    while file.read(_CHUNK_BYTES):
        pass
