"""Zip archives: lists what may be read in one, and reads a member into memory within limits.

Nothing is ever unpacked to disk. The limits are judged from the archive's own directory before
anything is decompressed, and held again while a member is (the directory may lie).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pathlib import Path

MAX_DIRECTORY_BYTES: Final = 32 * 2**20
"""Of the archive's directory: some 300,000 members."""
MAX_MEMBER_BYTES: Final = 4 * 2**30
"""Of one member: a member is held in memory. The largest multi-frame CT is below it."""
MAX_TOTAL_BYTES: Final = 256 * 2**30
"""Of all members together: some 1,500 studies."""
MAX_RATIO: Final = 100
"""Uncompressed to compressed size of the whole archive. CT packs 2 to 5 times, one with blank
slices 20 times; a bomb is at 1,000."""
RATIO_FREE_BYTES: Final = 64 * 2**20
"""Below this total no ratio does harm."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # APPNOTE.TXT 4.3.7
_END_RECORD = struct.Struct("<4s4H2IH")  # 4.3.16
_END_RECORD_SEARCH = _END_RECORD.size + 0xFFFF
_ENCRYPTED = 0x1  # 4.4.4, bit 0


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """Where one member lies in its archive, so that it is read without the directory.

    Reading through `zipfile` parses the whole directory each time: quadratic in the members.
    """

    name: str
    header_offset: int
    compressed_size: int
    size: int
    crc: int
    method: int


@dataclass(frozen=True, slots=True)
class ArchiveListing:
    """What an archive holds: the members that may be read, and the refusals by member name."""

    entries: tuple[ZipEntry, ...]
    refused: tuple[tuple[str, SeriesError], ...]


def list_archive(path: Path) -> ArchiveListing:
    """Lists the members that may be read, from the archive's directory alone.

    Members whose names point outside the archive are refused one by one; they would be harmless
    here, since nothing is unpacked, but whoever made them meant harm. Encrypted members are
    refused with one message for all.

    Raises:
        SeriesError: The archive as a whole is cut, damaged or unsafe.
    """
    infos = [info for info in _directory(path) if not info.is_dir()]
    if not infos:
        raise SeriesError(Reason.NOT_AN_IMAGE, f"{path}: the zip archive holds no files")
    _check_totals(path, infos)
    refused: list[tuple[str, SeriesError]] = []
    entries: list[ZipEntry] = []
    encrypted = 0
    for info in infos:
        if info.flag_bits & _ENCRYPTED:
            encrypted += 1
        elif _points_outside(info.filename):
            refused.append((info.filename, _outside_error(path, info)))
        else:
            entries.append(
                ZipEntry(
                    info.filename,
                    info.header_offset,
                    info.compress_size,
                    info.file_size,
                    info.CRC,
                    info.compress_type,
                )
            )
    if encrypted:
        msg = f"{path}: {encrypted} of {len(infos)} members are encrypted; unpack it with its key"
        refused.append(("", SeriesError(Reason.UNREADABLE, msg)))
    return ArchiveListing(tuple(entries), tuple(refused))


def read_entry(path: Path, entry: ZipEntry) -> bytes:
    """Decompresses one member into memory and checks it.

    Raises:
        OSError: The archive cannot be opened.
        SeriesError: The member is cut, damaged, or larger than the archive's directory says.
    """
    label = f"{path}!{entry.name}"
    if entry.size > MAX_MEMBER_BYTES:
        msg = f"{label}: claims {entry.size} bytes; at most {MAX_MEMBER_BYTES} are unpacked"
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg)
    data = _unpack(_packed_bytes(path, entry), entry, label)
    if zlib.crc32(data) != entry.crc:
        msg = f"{label}: the checksum does not match; the zip is damaged, copy it again"
        raise SeriesError(Reason.UNREADABLE, msg)
    return data


def read_entry_head(path: Path, entry: ZipEntry, count: int) -> bytes:
    """Decompresses the first `count` bytes of a member, unchecked; fewer if it is damaged.

    Raises:
        OSError: The archive cannot be opened.
        SeriesError: The member is not where the directory says.
    """
    packed = _packed_bytes(path, entry, limit=2 * count)
    if entry.method != zipfile.ZIP_DEFLATED:
        return packed[:count]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, count)
    except zlib.error:
        return b""


def _packed_bytes(path: Path, entry: ZipEntry, *, limit: int | None = None) -> bytes:
    """Reads a member's packed bytes, all of them or the first `limit`."""
    label = f"{path}!{entry.name}"
    wanted = entry.compressed_size if limit is None else min(limit, entry.compressed_size)
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            msg = f"{label}: no member begins at byte {entry.header_offset}; the zip is damaged"
            raise SeriesError(Reason.UNREADABLE, msg)
        *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        file.seek(name_length + extra_length, 1)
        packed = file.read(wanted)
    if len(packed) < wanted:
        msg = f"{label}: {wanted} packed bytes expected, {len(packed)} are there"
        raise SeriesError(Reason.TRUNCATED, msg)
    return packed


def _unpack(packed: bytes, entry: ZipEntry, label: str) -> bytes:
    """Decompresses at most what the directory promised."""
    if entry.method == zipfile.ZIP_STORED:
        return packed
    if entry.method != zipfile.ZIP_DEFLATED:
        msg = f"{label}: zip compression method {entry.method} is not read; pack it with deflate"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, entry.size + 1)
    except zlib.error as error:
        msg = f"{label}: the packed data are damaged ({error}); copy the zip again"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    if len(data) > entry.size:
        msg = f"{label}: unpacks to more than the {entry.size} bytes that the archive promises"
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg)
    if len(data) < entry.size:
        msg = f"{label}: {entry.size} bytes expected, {len(data)} unpacked; copy the zip again"
        raise SeriesError(Reason.TRUNCATED, msg)
    return data


def _directory(path: Path) -> list[zipfile.ZipInfo]:
    """Reads the archive's directory, once its size is known to be sensible."""
    directory_bytes = _directory_size(path)
    if directory_bytes > MAX_DIRECTORY_BYTES:
        msg = (
            f"{path}: the archive's directory alone has {directory_bytes} bytes; at most"
            f" {MAX_DIRECTORY_BYTES} are read. Unpack it, or split it"
        )
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    # zipfile raises NotImplementedError where an entry asks for a newer unpacker than there is.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        msg = f"{path}: the zip archive is damaged or too new ({error}); copy or unpack it"
        raise SeriesError(Reason.UNREADABLE, msg) from error


def _directory_size(path: Path) -> int:
    """Bytes of the central directory, from the end record."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_RECORD_SEARCH))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        msg = f"{path}: the zip archive has no end; it was cut while copied, copy it again"
        raise SeriesError(Reason.TRUNCATED, msg)
    directory_bytes: int = _END_RECORD.unpack_from(tail, at)[5]
    if directory_bytes != 0xFFFFFFFF:
        return directory_bytes
    # Zip64 keeps the true figure in a record of its own, whose locator precedes the end record
    # (4.3.14 and 4.3.15); the size stands at its byte 40.
    record = tail.rfind(b"PK\x06\x06")
    if record < 0 or len(tail) - record < 48:
        return directory_bytes
    return int.from_bytes(tail[record + 40 : record + 48], "little")


def _check_totals(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuses bombs: too much in all, too dense, or members that share their packed bytes."""
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    archive_bytes = path.stat().st_size
    if packed > archive_bytes:
        msg = f"{path}: members overlap ({packed} packed bytes in a file of {archive_bytes})"
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg)
    if total > MAX_TOTAL_BYTES:
        msg = f"{path}: unpacks to {total} bytes; at most {MAX_TOTAL_BYTES} are read from one zip"
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg)
    if total > RATIO_FREE_BYTES and total > MAX_RATIO * archive_bytes:
        msg = (
            f"{path}: unpacks to {total // archive_bytes} times its size ({total} bytes); more"
            f" than {MAX_RATIO} times looks like a zip bomb. Unpack it yourself if you trust it"
        )
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg)


def _points_outside(name: str) -> bool:
    """Whether unpacking under this name would leave the folder."""
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or parts[0].endswith(":")


def _outside_error(path: Path, info: zipfile.ZipInfo) -> SeriesError:
    msg = f"{path}: the member named {info.filename!r} points outside the archive; it is not read"
    return SeriesError(Reason.ARCHIVE_UNSAFE, msg)
