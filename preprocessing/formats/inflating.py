"""Reads voxels into an array: as they are, or out of gzip and zlib streams with their checksums."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

GZIP_MAGIC: Final = b"\x1f\x8b"

_CHUNK_BYTES: Final = 256 * 1024
_EITHER_FORMAT: Final = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Inflated:
    """What a stream held.

    Attributes:
        count: Bytes that went into the buffer.
        extra: Bytes that followed them; counted up to the limit only.
    """

    count: int
    extra: int


def read_into(file: BinaryIO, buffer: memoryview) -> int:
    """Fills a buffer from a file.

    Args:
        file: Open for reading, at the first byte to read.
        buffer: Writable bytes; what the file does not fill keeps its content.

    Returns:
        The number of bytes read, fewer than the buffer has only at the end of the file.
    """
    reader = cast("io.BufferedIOBase", file)
    filled = 0
    while filled < len(buffer):
        count = reader.readinto(buffer[filled:])
        if not count:
            break
        filled += count
    return filled


def inflate_into(
    file: BinaryIO, buffer: memoryview, path: str, *, skip: int = 0, max_extra: int
) -> Inflated:
    """Fills a buffer from a compressed stream, and reads on to the stream's checksum.

    Both formats end with a checksum of the unpacked bytes, behind the last voxel, which zlib
    compares when it gets there (RFC 1950, 2.2; RFC 1952, 2.3.1).

    Args:
        file: Open for reading, at the first compressed byte. Bytes behind a complete stream are
            not looked at, unless another gzip member begins there.
        buffer: Writable bytes; what the stream does not fill keeps its content.
        path: The file, for errors.
        skip: Unpacked bytes before those that are wanted.
        max_extra: Unpacked bytes behind them from which on the rest is not unpacked.

    Returns:
        How many bytes were there.

    Raises:
        SeriesError: `unreadable` for a damaged stream, `truncated` for one without its end.
    """
    position, end = 0, skip + len(buffer)
    for chunk in _inflated(file, path):
        begin, stop = max(position, skip), min(position + len(chunk), end)
        if begin < stop:
            buffer[begin - skip : stop - skip] = memoryview(chunk)[
                begin - position : stop - position
            ]
        position += len(chunk)
        if position - end >= max_extra:
            break
    return Inflated(count=max(0, min(position, end) - skip), extra=max(0, position - end))


def _inflated(file: BinaryIO, path: str) -> Iterator[bytes]:
    """Yields the unpacked bytes of a zlib stream, or of all gzip members of a file."""
    inflater = zlib.decompressobj(_EITHER_FORMAT)
    packed = b""
    while True:
        packed = packed or file.read(_CHUNK_BYTES)
        if not packed:
            msg = "The compressed voxels end before their checksum: the file is cut; copy it again"
            raise SeriesError(Reason.TRUNCATED, msg, path=path)
        try:
            chunk = inflater.decompress(packed, _CHUNK_BYTES)
        except zlib.error as error:
            msg = f"The compressed voxels are damaged ({error}); copy the file again"
            raise SeriesError(Reason.UNREADABLE, msg, path=path) from error
        packed = inflater.unconsumed_tail
        if chunk:
            yield chunk
        if inflater.eof:
            packed = inflater.unused_data
            if len(packed) < len(GZIP_MAGIC):
                packed += file.read(_CHUNK_BYTES)
            if not packed.startswith(GZIP_MAGIC):
                return
            inflater = zlib.decompressobj(_EITHER_FORMAT)
