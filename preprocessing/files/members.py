"""Reads one member of a zip archive: whole and checked, its first bytes, or as a stream."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.archives import MAX_TOTAL_BYTES
from hounsfield.preprocessing.files.member_stream import member_stream

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.files.archives import ZipEntry
    from hounsfield.preprocessing.files.stamp import FileStamp

MAX_MEMBER_BYTES: Final = 4 * 2**30
"""Size of one member that is read whole. The largest multi-frame CT is below it."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # APPNOTE.TXT 4.3.7
_CODES_BYTES = 1024  # the code tables with which a deflated block begins


def read_entry(path: Path, entry: ZipEntry, *, stamp: FileStamp | None = None) -> bytes:
    """Decompresses one member into memory and checks it.

    Args:
        path: The archive on disk.
        entry: The member, as `list_archive` describes it.
        stamp: The archive's, from when it was listed; None if it need not be compared.

    Returns:
        The member's content.

    Raises:
        OSError: The archive cannot be opened.
        SeriesError: The member is cut, damaged, or larger than the archive's directory says.
    """
    if entry.size > MAX_MEMBER_BYTES:
        msg = f"The file claims {entry.size} bytes; at most {MAX_MEMBER_BYTES} are unpacked"
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=_member_path(path, entry))
    with open_entry(path, entry, stamp=stamp) as file:
        return file.read(entry.size + 1)  # beyond the last byte, so that the end is checked


def open_entry(path: Path, entry: ZipEntry, *, stamp: FileStamp | None = None) -> BinaryIO:
    """Opens one member as a stream, whose memory does not grow with the member.

    Args:
        path: The archive on disk.
        entry: The member, as `list_archive` describes it.
        stamp: The archive's, from when it was listed; None if it need not be compared.

    Returns:
        A seekable stream; its checksum is compared when its last byte is read.

    Raises:
        OSError: The archive cannot be opened.
        SeriesError: The member is not where the directory says.
    """
    file = path.open("rb")
    try:
        start = _data_start(file, path, entry, stamp)
        return member_stream(file, start, entry, _member_path(path, entry))
    except BaseException:
        file.close()
        raise


def read_entry_head(path: Path, entry: ZipEntry, count: int) -> bytes:
    """Decompresses the first bytes of a member, without checking them.

    Args:
        path: The archive on disk.
        entry: The member, as `list_archive` describes it.
        count: Number of bytes wanted.

    Returns:
        At most `count` bytes; fewer if the member is shorter.

    Raises:
        OSError: The archive cannot be opened.
        SeriesError: The member is damaged, or not where the directory says.
    """
    packed = _packed_bytes(path, entry, 2 * count + _CODES_BYTES)
    if entry.method != zipfile.ZIP_DEFLATED:
        return packed[:count]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, count)
    except zlib.error as error:
        msg = f"The compressed data are damaged ({error}); copy the zip archive again"
        raise SeriesError(Reason.UNREADABLE, msg, path=_member_path(path, entry)) from error


def _packed_bytes(path: Path, entry: ZipEntry, limit: int) -> bytes:
    """Reads the first `limit` of a member's compressed bytes."""
    wanted = min(limit, entry.compressed_size)
    with path.open("rb") as file:
        file.seek(_data_start(file, path, entry, stamp=None))
        packed = file.read(wanted)
    if len(packed) < wanted:
        msg = f"{wanted} compressed bytes expected, {len(packed)} are there"
        raise SeriesError(Reason.TRUNCATED, msg, path=_member_path(path, entry))
    return packed


def _data_start(file: BinaryIO, path: Path, entry: ZipEntry, stamp: FileStamp | None) -> int:
    """The first byte of a member's compressed data, which lie behind its local header."""
    member = _member_path(path, entry)
    if stamp is not None:
        stamp.check(file, member)
    header = b""
    if 0 <= entry.header_offset < MAX_TOTAL_BYTES:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
        msg = f"No member begins at byte {entry.header_offset}; the zip archive is damaged"
        raise SeriesError(Reason.UNREADABLE, msg, path=member)
    *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    return entry.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)


def _member_path(path: Path, entry: ZipEntry) -> str:
    return f"{path}!{entry.name}"
