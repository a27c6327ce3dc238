"""Parses the header of a DICOM file, also one without preamble or file meta information.

Only the beginning of a file is read and parsed in memory, so a wrong length allocates nothing.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from pydicom.filereader import read_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import VR

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.values import Elements, tag_of, uid
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

UNDEFINED_LENGTH = 0xFFFFFFFF

_PIXEL_TAGS = frozenset(map(tag_of, ("FloatPixelData", "DoubleFloatPixelData", "PixelData")))
_HEAD_BYTES = 32 * 1024
_HEAD_GROWTH = 32
_MAX_HEAD_BYTES = 48 * 1024 * 1024  # functional groups of thousands of frames take some 20 MiB
_COUNTED_CHUNK_BYTES = 1024 * 1024
_PIXEL_GROUP = 0x7FE0
_INFLATED_HEAD_BYTES = 8 * 1024 * 1024
_VALUE_REPRESENTATIONS = frozenset(vr.value.encode() for vr in VR if len(vr.value) == 2)
_FIRST_GROUPS = frozenset({0x0002, 0x0008})


@dataclass(frozen=True, slots=True)
class ParsedHeader:
    """The requested elements, and the position of the pixel data.

    Attributes:
        elements: Raw elements without pixel data.
        transfer_syntax_uid: As declared, or as the first element shows if nothing is declared.
        pixel_offset: First byte of the pixel data's value, within the inflated stream of a
            deflated file; None if there is none.
        pixel_length: Length as declared; `UNDEFINED_LENGTH` for encapsulated pixels.
        complete: Whether all elements before the pixel data are there.
    """

    elements: Elements
    transfer_syntax_uid: str
    pixel_offset: int | None
    pixel_length: int
    complete: bool


def parse_header(file: BinaryIO, size: int, tags: list[int]) -> ParsedHeader | None:
    """Parses some elements of a DICOM file.

    Args:
        file: Open for reading, at its beginning.
        size: Length of the file in bytes.
        tags: Tags of the elements to parse; others are skipped.

    Returns:
        The header, or None if the file is not DICOM.

    Raises:
        SeriesError: `unreadable` if the elements are malformed or nested without end. The error
            has no path.
    """
    length = min(_HEAD_BYTES, size)
    head = file.read(length)
    start = _start_of_elements(head)
    if start is None:
        return None
    while True:
        whole = len(head) >= size
        try:
            parsed = _parse(head, start, tags)
        # pydicom lets any exception out for malformed elements, and few are its own.
        except Exception as error:
            if whole or isinstance(error, RecursionError | MemoryError):
                msg = f"The DICOM elements cannot be parsed ({type(error).__name__})"
                raise SeriesError(Reason.UNREADABLE, msg) from error
            parsed = None
        if parsed is not None and (whole or parsed.pixel_offset is not None):
            return parsed
        if length >= _MAX_HEAD_BYTES:
            msg = f"There is no pixel data within the first {_MAX_HEAD_BYTES >> 20} MiB of elements"
            raise SeriesError(Reason.UNREADABLE, msg)
        length = min(length * _HEAD_GROWTH, size, _MAX_HEAD_BYTES)
        more = file.read(length - len(head))
        if not more:
            size = len(head)
        head += more


def inflate(deflated: bytes, limit: int) -> bytes:
    """Returns the beginning of a raw deflate stream, inflated; fewer bytes if it is cut.

    Args:
        deflated: Compressed bytes without a zlib header (PS3.5, A.5).
        limit: Largest number of bytes to return.
    """
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated, limit)


def inflated_length(file: BinaryIO, limit: int) -> int:
    """Returns how many bytes a raw deflate stream holds, without keeping them.

    The stream has no checksum, but one that is damaged seldom ends where its pixels do: it must
    end there, or go on with another element.

    Args:
        file: At the first of the compressed bytes, which have no zlib header (PS3.5, A.5).
        limit: Where the pixel data end. Counting stops some way behind it.

    Raises:
        zlib.error: The stream is damaged, or cut before its end.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    counted, rest, behind = 0, b"", b""
    while counted < limit + _COUNTED_CHUNK_BYTES and not inflater.eof:
        rest = rest or file.read(_COUNTED_CHUNK_BYTES)
        chunk = inflater.decompress(rest, _COUNTED_CHUNK_BYTES)
        counted += len(chunk)
        rest = inflater.unconsumed_tail
        behind += chunk[max(0, len(chunk) - (counted - limit)) :] if counted > limit else b""
        if not chunk and not rest:
            break
    if counted < limit:
        return counted
    if not inflater.eof and counted < limit + _COUNTED_CHUNK_BYTES:
        msg = "the deflated stream has no end, it is cut or damaged"
        raise zlib.error(msg)
    if len(behind) >= 2 and int.from_bytes(behind[:2], "little") <= _PIXEL_GROUP:
        msg = "the deflated stream does not end with its pixels, it is damaged"
        raise zlib.error(msg)
    return counted


def deflated_start(head: bytes) -> int:
    """Returns the offset of the deflated elements, after the file meta information.

    Args:
        head: The beginning of a deflated DICOM file, or all of it.
    """
    start = _start_of_elements(head) or 0
    stream = io.BytesIO(head)
    stream.seek(start)
    _read_meta(stream)
    return stream.tell()


def _start_of_elements(head: bytes) -> int | None:
    """The offset of the first element; None if nothing looks like one."""
    if head[128:132] == b"DICM":
        return 132
    if len(head) < 8:
        return None
    little, big = struct.unpack("<H", head[:2])[0], struct.unpack(">H", head[:2])[0]
    if head[4:6] in _VALUE_REPRESENTATIONS:
        return 0 if little in _FIRST_GROUPS or big in _FIRST_GROUPS else None
    value_length = struct.unpack("<I", head[4:8])[0]
    return 0 if little in _FIRST_GROUPS and value_length <= 256 else None


def _parse(head: bytes, start: int, tags: list[int]) -> ParsedHeader:
    stream = io.BytesIO(head)
    stream.seek(start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        meta = _read_meta(stream)
        syntax = uid(Elements(meta), "TransferSyntaxUID") or _apparent_syntax(head, stream.tell())
        if syntax == DeflatedExplicitVRLittleEndian:
            stream = io.BytesIO(inflate(head[stream.tell() :], _INFLATED_HEAD_BYTES))
        stop = _PixelStop(stream)
        dataset = read_dataset(
            stream,
            syntax == ImplicitVRLittleEndian,
            syntax != ExplicitVRBigEndian,
            stop_when=stop,
            specific_tags=tags,
        )
        dataset.update({element.tag: element for element in meta.values()})
    if stop.tag is None:
        return ParsedHeader(Elements(dataset), syntax, None, 0, stop.reached_end)
    header_length = 8 if stop.vr is None else 12
    return ParsedHeader(
        Elements(dataset), syntax, stream.tell() + header_length, stop.length, complete=True
    )


def _read_meta(stream: BinaryIO) -> Dataset:
    """Reads group 0002, always explicit little endian (PS3.10, 7.1)."""
    begin = stream.tell()
    if stream.read(2) != b"\x02\x00":
        stream.seek(begin)
        return read_dataset(io.BytesIO(), is_implicit_VR=False, is_little_endian=True)
    stream.seek(begin)
    return read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag.group != 2,
    )


def _apparent_syntax(head: bytes, offset: int) -> str:
    """The encoding as the first element shows it, for files that declare none."""
    if head[offset + 4 : offset + 6] not in _VALUE_REPRESENTATIONS:
        return str(ImplicitVRLittleEndian)
    big_endian = head[offset : offset + 1] == b"\0"
    return str(ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian)


class _PixelStop:
    """Stops the parser at the pixel data, and remembers where the last element ends."""

    __slots__ = ("end", "length", "stream", "tag", "vr")

    def __init__(self, stream: io.BytesIO) -> None:
        self.stream = stream
        self.tag: BaseTag | None = None
        self.vr: str | None = None
        self.length = 0
        self.end: int | None = 0

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        self.end = None if length == UNDEFINED_LENGTH else self.stream.tell() + length
        if tag not in _PIXEL_TAGS:
            return False
        self.tag, self.vr, self.length = tag, vr, length
        return True

    @property
    def reached_end(self) -> bool:
        """Whether the last parsed element ends where the stream does."""
        return self.end is None or self.end == self.stream.getbuffer().nbytes
