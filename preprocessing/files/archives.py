"""Zip archives: lists the members that may be read, within limits.

Nothing is ever unpacked to disk. The limits are checked against the archive's own directory before
anything is decompressed, and again while a member is: the directory may be wrong.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pathlib import Path

MAX_DIRECTORY_BYTES: Final = 32 * 2**20
"""Size of the archive's directory: some 300,000 members."""
MAX_TOTAL_BYTES: Final = 256 * 2**30
"""Size of all members together: some 1,500 studies."""
MAX_RATIO: Final = 100
"""Uncompressed to compressed size of the whole archive, and of each member. CT packs 2 to 5 times,
one with blank slices 20 times; a decompression bomb is at 1,000."""
RATIO_FREE_BYTES: Final = 64 * 2**20
"""Below this size any ratio is harmless."""

_END_RECORD = struct.Struct("<4s4H2IH")  # APPNOTE.TXT 4.3.16
_END_RECORD_SEARCH = _END_RECORD.size + 0xFFFF
_COUNT_ELSEWHERE = 0xFFFF
"""Stands for a number of members that only the zip64 record holds (4.4.22)."""
_ENCRYPTED = 0x1  # 4.4.4, bit 0


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """The position of one member in its archive, so that it is read without the directory.

    Reading through `zipfile` parses the whole directory each time: quadratic in the members.

    Attributes:
        name: Folder and name inside the archive, parted by ``/``; programs of Windows write
            backslashes.
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
    here, since nothing is unpacked, but whoever made them meant harm. So are members that pack
    too well. Encrypted members are refused with one message for all.

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
            msg = "The name of this member points outside the archive; it is not read"
            refused.append((info.filename, _unsafe(path, info, msg)))
        elif info.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * info.compress_size):
            msg = (
                f"This member unpacks to {info.file_size} bytes, more than {MAX_RATIO} times its "
                "compressed size; it is not read. Unpack it yourself if you trust it"
            )
            refused.append((info.filename, _unsafe(path, info, msg)))
        else:
            entries.append(
                ZipEntry(
                    info.filename.replace("\\", "/"),
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


def _directory(path: Path) -> list[zipfile.ZipInfo]:
    """Reads the archive's directory, once its size is known to be sensible."""
    directory_bytes, members = _directory_size(path)
    if directory_bytes > MAX_DIRECTORY_BYTES:
        msg = (
            f"The archive's directory alone has {directory_bytes} bytes; at most "
            f"{MAX_DIRECTORY_BYTES} are read. Unpack it, or split it"
        )
        raise SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except OSError:
        raise
    # zipfile lists no exceptions: BadZipFile, NotImplementedError for a newer version of the
    # format, struct.error, and whatever else damaged bytes bring about.
    except Exception as error:
        kind = type(error).__name__
        msg = f"The zip archive is damaged or too new ({kind}); copy it again or unpack it"
        raise SeriesError(Reason.UNREADABLE, msg, path=path) from error
    if members not in {len(infos), _COUNT_ELSEWHERE}:
        msg = (
            f"The directory of the zip archive lists {len(infos)} members, its end record counts "
            f"{members}; it is damaged, copy it again"
        )
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return infos


def _directory_size(path: Path) -> tuple[int, int]:
    """Bytes and members of the central directory, from the end record."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_RECORD_SEARCH))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        msg = "The zip archive has no end record: it was cut while copied; copy it again"
        raise SeriesError(Reason.TRUNCATED, msg, path=path)
    members, directory_bytes = _END_RECORD.unpack_from(tail, at)[4:6]
    if directory_bytes != 0xFFFFFFFF:
        return directory_bytes, members
    # Zip64 keeps the true figure in a record of its own, whose locator precedes the end record
    # (4.3.14 and 4.3.15), at byte 40.
    record = tail.rfind(b"PK\x06\x06")
    if record < 0 or len(tail) - record < 48:
        return directory_bytes, members
    return int.from_bytes(tail[record + 40 : record + 48], "little"), _COUNT_ELSEWHERE


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


def _unsafe(path: Path, info: zipfile.ZipInfo, msg: str) -> SeriesError:
    return SeriesError(Reason.ARCHIVE_UNSAFE, msg, path=f"{path}!{info.filename}")
