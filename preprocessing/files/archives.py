"""Zip archives: lists the members that may be read, and reads a member into memory within limits.

Nothing is ever unpacked to disk. The limits are checked against the archive's own directory before
anything is decompressed, and again while a member is: the directory may be wrong.
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
"""Size of the archive's directory: some 300,000 members."""
MAX_MEMBER_BYTES: Final = 4 * 2**30
"""Size of one member, which is held in memory. The largest multi-frame CT is below it."""
MAX_TOTAL_BYTES: Final = 256 * 2**30
"""Size of all members together: some 1,500 studies."""
MAX_RATIO: Final = 100
"""Uncompressed to compressed size of the whole archive. CT packs 2 to 5 times, one with blank
slices 20 times; a decompression bomb is at 1,000."""
RATIO_FREE_BYTES: Final = 64 * 2**20
"""Below this total any ratio is harmless."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")  # APPNOTE.TXT 4.3.7
_END_RECORD = struct.Struct("<4s4H2IH")  # 4.3.16
_END_RECORD_SEARCH = _END_RECORD.size + 0xFFFF
_ENCRYPTED = 0x1  # 4.4.4, bit 0


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """The position of one member in its archive, so that it is read without the directory.

    Reading through `zipfile` parses the whole directory each time: quadratic in the members.

    Attributes:
        name: Folder and name inside the archive.
        header_offset: First byte of the member's local header.
        compressed_size: Bytes in the archive.
        size: Bytes once decompressed, as the directory promises.
        crc: CRC-32 of the decompressed bytes.
        method: Compression method, APPNOTE.TXT 4.4.5.
    """

    name: str
    header_offset: int
    compressed_size: int
    size: int
    crc: int
    method: int


@dataclass(frozen=True, slots=True)
class ArchiveListing:
    """The members of an archive that may be read, and by name those that are refused, and why."""

    entries: tuple[ZipEntry, ...]
    refused: tuple[tuple[str, SeriesError], ...]


def list_archive(path: Path) -> ArchiveListing:
    """Lists the members that may be read, from the archive's directory alone.

    Members whose names point outside the archive are refused one by one. They would be harmless
    here, since nothing is unpacked, but whoever made them meant harm. Encrypted members are
    refused with one message for all.

    Args:
        path: The archive on disk.

    Returns:
        Members in the order of the archive's directory.

    Raises:
        SeriesError: The archive as a whole is cut, damaged or unsafe.
    """
    infos = [info for info in _directory(path) if not info.is_dir()]
    if not infos:
        raise SeriesError(Reason.NOT_AN_IMAGE, "The zip archive holds no files", path=path)
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
        msg = (
            f"{encrypted} of {len(infos)} members of the zip archive are encrypted; unpack it with "
            "its password"
        )
        refused.append(("", SeriesError(Reason.UNREADABLE, msg, path=path)))
    return ArchiveListing(tuple(entries), tuple(refused))


def read_entry(path: Path, entry: ZipEntry) -> bytes:
    """Decompresses one member into memory and checks it.

    Args:
        path: The archive on disk.
        entry: The member, as `list_archive` describes it.

    Returns:
        The member's content.

    Raises:
        OSError: The archive cannot be opened.
        SeriesError: The member is cut, damaged, or larger than the archive's directory says.
    """
    member = _member_path(path, entry)
    if entry.size > MAX_MEMBER_BYTES:
        msg = f"The file claims {entry.size} bytes; at most {MAX_MEMBER_BYTES} are unpacked"
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=member)
    data = _unpack(_packed_bytes(path, entry), entry, member)
    if zlib.crc32(data) != entry.crc:
        msg = "The checksum does not match; the zip archive is damaged, copy it again"
        raise SeriesError(Reason.UNREADABLE, msg, path=member)
    return data


def read_entry_head(path: Path, entry: ZipEntry, count: int) -> bytes:
    """Decompresses the first bytes of a member, without checking them.

    Args:
        path: The archive on disk.
        entry: The member, as `list_archive` describes it.
        count: Number of bytes wanted.

    Returns:
        At most `count` bytes; fewer if the member is shorter or damaged.

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
    """Reads a member's compressed bytes, all of them or the first `limit`."""
    member = _member_path(path, entry)
    wanted = entry.compressed_size if limit is None else min(limit, entry.compressed_size)
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            msg = f"No member begins at byte {entry.header_offset}; the zip archive is damaged"
            raise SeriesError(Reason.UNREADABLE, msg, path=member)
        *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        file.seek(name_length + extra_length, 1)
        packed = file.read(wanted)
    if len(packed) < wanted:
        msg = f"{wanted} compressed bytes expected, {len(packed)} are there"
        raise SeriesError(Reason.TRUNCATED, msg, path=member)
    return packed


def _unpack(packed: bytes, entry: ZipEntry, member: str) -> bytes:
    """Decompresses at most what the directory promised."""
    if entry.method == zipfile.ZIP_STORED:
        return packed
    if entry.method != zipfile.ZIP_DEFLATED:
        msg = f"Zip compression method {entry.method} is not supported; use deflate"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg, path=member)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = inflater.decompress(packed, entry.size + 1)
    except zlib.error as error:
        msg = f"The compressed data are damaged ({error}); copy the zip archive again"
        raise SeriesError(Reason.UNREADABLE, msg, path=member) from error
    if len(data) > entry.size:
        msg = f"The file unpacks to more than the {entry.size} bytes that the archive promises"
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=member)
    if len(data) < entry.size:
        msg = f"{entry.size} bytes expected, {len(data)} unpacked; copy the zip archive again"
        raise SeriesError(Reason.TRUNCATED, msg, path=member)
    return data


def _member_path(path: Path, entry: ZipEntry) -> str:
    return f"{path}!{entry.name}"


def _directory(path: Path) -> list[zipfile.ZipInfo]:
    """Reads the archive's directory, once its size is known to be sensible."""
    directory_bytes = _directory_size(path)
    if directory_bytes > MAX_DIRECTORY_BYTES:
        msg = (
            f"The archive's directory alone has {directory_bytes} bytes; at most "
            f"{MAX_DIRECTORY_BYTES} are read. Unpack it, or split it"
        )
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=path)
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    # zipfile raises NotImplementedError if an entry needs a newer version of it.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        msg = f"The zip archive is damaged or too new ({error}); copy it again or unpack it"
        raise SeriesError(Reason.UNREADABLE, msg, path=path) from error


def _directory_size(path: Path) -> int:
    """Bytes of the central directory, from the end record."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_RECORD_SEARCH))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        msg = "The zip archive has no end record: it was cut while copied; copy it again"
        raise SeriesError(Reason.TRUNCATED, msg, path=path)
    directory_bytes: int = _END_RECORD.unpack_from(tail, at)[5]
    if directory_bytes != 0xFFFFFFFF:
        return directory_bytes
    # Zip64 keeps the true figure in a record of its own, whose locator precedes the end record
    # (4.3.14 and 4.3.15), at byte 40.
    record = tail.rfind(b"PK\x06\x06")
    if record < 0 or len(tail) - record < 48:
        return directory_bytes
    return int.from_bytes(tail[record + 40 : record + 48], "little")


def _check_totals(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Refuses bombs: too large in all, too dense, or members that share their compressed bytes."""
    total = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    archive_bytes = path.stat().st_size
    if packed > archive_bytes:
        msg = (
            f"Members of the zip archive overlap ({packed} compressed bytes in a file of "
            f"{archive_bytes})"
        )
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=path)
    if total > MAX_TOTAL_BYTES:
        msg = (
            f"The zip archive unpacks to {total} bytes; at most {MAX_TOTAL_BYTES} are read from one"
        )
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=path)
    if total > RATIO_FREE_BYTES and total > MAX_RATIO * archive_bytes:
        msg = (
            f"The zip archive unpacks to {total // archive_bytes} times its size ({total} bytes); "
            f"more than {MAX_RATIO} times looks like a zip bomb. Unpack it yourself if you trust it"
        )
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=path)


def _points_outside(name: str) -> bool:
    """Whether unpacking under this name would leave the folder."""
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or parts[0].endswith(":")


def _outside_error(path: Path, info: zipfile.ZipInfo) -> SeriesError:
    msg = "The name of this member points outside the archive; it is not read"
    return SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=f"{path}!{info.filename}")
