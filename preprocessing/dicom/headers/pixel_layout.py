"""How the pixels of an instance are stored: located and checked, but not read."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydicom.uid import DeflatedExplicitVRLittleEndian

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.dataset import (
    UNDEFINED_LENGTH,
    ParsedHeader,
    deflated_start,
    inflated_length,
)
from hounsfield.preprocessing.dicom.headers.fragments import (
    Fragment,
    FragmentsError,
    find_fragments,
    group_by_frame,
)
from hounsfield.preprocessing.dicom.headers.values import codes, unsigned_short
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from typing import BinaryIO

    from hounsfield.preprocessing.files.sources import ByteSource


_META_BYTES = 64 * 1024
"""More than the file meta information takes, which is never deflated."""


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the pixels of an instance are stored; the names are those of the DICOM elements.

    Attributes:
        photometric: PhotometricInterpretation, for instance ``MONOCHROME2``.
        signed: Whether PixelRepresentation says two's complement.
        padding: PixelPaddingValue and PixelPaddingRangeLimit as raw 16 bits, in this order.
        offset: First byte of the pixel data; in a deflated file, within the inflated stream.
        length: Bytes of native pixel data; 0 if it is encapsulated.
        fragments: For each frame, the position of its compressed bytes; empty for native pixels.
    """

    rows: int
    columns: int
    samples_per_pixel: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    padding: tuple[int, int] | None
    offset: int
    length: int
    fragments: tuple[tuple[Fragment, ...], ...] = ()

    @property
    def frame_bytes(self) -> int:
        """Bytes of one native frame."""
        bits = self.rows * self.columns * self.samples_per_pixel * self.bits_allocated
        return (bits + 7) // 8


def locate_pixels(
    source: ByteSource, header: ParsedHeader, file: BinaryIO, size: int, frame_count: int
) -> tuple[PixelLayout | None, SeriesError | None]:
    """Returns how the pixels of a file are stored, and an error if the header lies about them.

    Args:
        source: The file, for the error.
        header: The parsed elements, with the offset and length of the pixel data.
        file: The file, open for reading; its position changes.
        size: Length of the file in bytes.
        frame_count: Number of frames by the header.

    Returns:
        The layout, None where the file has no pixels; and the error, None where all is well.
    """
    elements = header.elements
    rows, columns = unsigned_short(elements, "Rows"), unsigned_short(elements, "Columns")
    bits_allocated = unsigned_short(elements, "BitsAllocated")
    if header.pixel_offset is None or not rows or not columns or not bits_allocated:
        return None, None
    bits_stored = unsigned_short(elements, "BitsStored") or bits_allocated
    high_bit = unsigned_short(elements, "HighBit")
    padding = unsigned_short(elements, "PixelPaddingValue")
    limit = unsigned_short(elements, "PixelPaddingRangeLimit")
    encapsulated = header.pixel_length == UNDEFINED_LENGTH
    layout = PixelLayout(
        rows=rows,
        columns=columns,
        samples_per_pixel=unsigned_short(elements, "SamplesPerPixel") or 1,
        photometric=next(iter(codes(elements, "PhotometricInterpretation")), ""),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else high_bit,
        signed=unsigned_short(elements, "PixelRepresentation") == 1,
        padding=None if padding is None else (padding, padding if limit is None else limit),
        offset=header.pixel_offset,
        length=0 if encapsulated else header.pixel_length,
    )
    try:
        if encapsulated:
            return _with_fragments(layout, file, size, frame_count), None
        if header.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
            size = _inflated_size(file, layout, frame_count)
        _check_native(layout, size, frame_count)
    except (FragmentsError, _TooFewPixelsError, zlib.error) as error:
        msg = f"The file is cut off inside its pixels: {error}; copy it again"
        return layout, SeriesError(Reason.TRUNCATED, msg, path=str(source))
    except _TooManyPixelsError as error:
        return layout, SeriesError(Reason.UNREADABLE, str(error), path=str(source))
    return layout, None


def _with_fragments(
    layout: PixelLayout, file: BinaryIO, size: int, frame_count: int
) -> PixelLayout:
    offsets, fragments = find_fragments(file, layout.offset, size)
    return replace(layout, fragments=tuple(group_by_frame(file, offsets, fragments, frame_count)))


def _inflated_size(file: BinaryIO, layout: PixelLayout, frame_count: int) -> int:
    """The length of the inflated stream, counted up to the last pixel."""
    enough = layout.offset + max(layout.length, layout.frame_bytes * frame_count)
    file.seek(0)
    file.seek(deflated_start(file.read(_META_BYTES)))
    return inflated_length(file, enough)


def _check_native(layout: PixelLayout, size: int, frame_count: int) -> None:
    """Compares Rows x Columns x frames x bits with the file's length, before any allocation.

    More bytes than that mean other Rows or Columns: the picture would come out sheared. A few
    more are padding of some writer.
    """
    expected = layout.frame_bytes * frame_count
    present = max(0, min(layout.length, size - layout.offset))
    wanted = f"{layout.rows} x {layout.columns} pixels in {frame_count} frame(s) need {expected}"
    if present < expected:
        msg = f"{wanted} bytes, {present} are there"
        raise _TooFewPixelsError(msg)
    sample_bytes = max(1, layout.samples_per_pixel * layout.bits_allocated // 8)
    line_bytes = min(layout.rows, layout.columns) * sample_bytes
    if layout.length - expected >= line_bytes:
        msg = (
            f"{wanted} bytes, PixelData (7FE0,0010) has {layout.length}: Rows, Columns, "
            "NumberOfFrames or BitsAllocated are wrong"
        )
        raise _TooManyPixelsError(msg)


class _TooFewPixelsError(ValueError):
    """The file ends before the last pixel."""


class _TooManyPixelsError(ValueError):
    """The pixel data are longer than the header says."""
