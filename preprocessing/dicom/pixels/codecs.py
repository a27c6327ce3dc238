"""A decoder for each compressed transfer syntax: the fastest in benchmarks/decoding.py."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.transfer_syntaxes import (
    JPEG_FULL_PROGRESSION,
    JPEG_SPECTRAL_SELECTION,
)
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.pixel_layout import PixelLayout


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """The stored values of one frame, as a codestream holds them.

    Attributes:
        stored: ``[row, column]``, 8 or 16 bits per element, signed only if the codestream is.
        precision: Bits per value that the codestream itself declares.
    """

    stored: NDArray[np.integer]
    precision: int


def decode_frame(encoded: bytes, layout: PixelLayout, transfer_syntax_uid: str) -> DecodedFrame:
    """Decodes one frame and checks its size against the header.

    Args:
        encoded: The codestream, all fragments of the frame joined.
        layout: How the header describes the pixels.
        transfer_syntax_uid: Any; those in `DECODERS` can be decoded.

    Returns:
        Stored values of the size that the header states.

    Raises:
        SeriesError: `unsupported_encoding` for a syntax without a decoder, `truncated` if the
            codestream ends early, `unreadable` if it is malformed, `out_of_memory` if the codec
            said so. The error has no path.
    """
    decoder = DECODERS.get(transfer_syntax_uid)
    if decoder is None:
        msg = f"Transfer syntax {transfer_syntax_uid} is not supported; convert it to another"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    with as_series_error(subject="The compressed frame", quotes_library=True):
        frame = decoder(encoded, layout)
    if frame.stored.shape != (layout.rows, layout.columns):
        msg = (
            f"The codestream holds {frame.stored.shape} pixels, the header says "
            f"({layout.rows}, {layout.columns})"
        )
        raise SeriesError(Reason.UNREADABLE, msg)
    return frame


def _rle(encoded: bytes, layout: PixelLayout) -> DecodedFrame:
    """RLE: a segment for each byte of a value, the most significant first (PS3.5, G.2 to G.5)."""
    from imagecodecs import packbits_decode

    size, pixels = layout.bits_allocated // 8, layout.rows * layout.columns
    if len(encoded) < _RLE_HEADER.size:
        msg = f"the RLE header has {_RLE_HEADER.size} bytes, {len(encoded)} are there"
        raise ValueError(msg)
    count, *offsets = _RLE_HEADER.unpack_from(encoded)
    bounds = [*offsets[:count], len(encoded)]
    if count != size or bounds != sorted(set(bounds)) or bounds[0] < _RLE_HEADER.size:
        msg = f"the RLE header names {count} segments at {offsets[:count]}, {size} are expected"
        raise ValueError(msg)
    stored = np.zeros(pixels, dtype=f"u{size}")
    for begin, end in pairwise(bounds):
        octets = packbits_decode(encoded[begin:end])
        if not pixels <= len(octets) <= pixels + 1:  # one for the padding to an even length
            msg = f"an RLE segment holds {len(octets)} bytes, {pixels} are expected"
            raise ValueError(msg)
        if size > 1:
            stored <<= 8
        stored |= np.frombuffer(octets, dtype=np.uint8, count=pixels)
    return DecodedFrame(stored.reshape(layout.rows, layout.columns), layout.bits_allocated)


_RLE_HEADER = struct.Struct("<16I")


def _jpeg(encoded: bytes, layout: PixelLayout) -> DecodedFrame:
    """JPEG, lossy with 8 or 12 bits, sequential or progressive, and lossless: libjpeg-turbo 3."""
    from imagecodecs import jpeg8_decode

    _check_closed(encoded)
    _check_jpeg_extent(encoded, layout)
    stored = jpeg8_decode(encoded)
    return DecodedFrame(stored, layout.bits_stored)


def _jpeg_ls(encoded: bytes, layout: PixelLayout) -> DecodedFrame:
    from imagecodecs import jpegls_decode

    _check_closed(encoded)
    _check_jpeg_extent(encoded, layout)
    return DecodedFrame(jpegls_decode(encoded), layout.bits_stored)


def _jpeg_2000(encoded: bytes, layout: PixelLayout) -> DecodedFrame:
    """Decodes a codestream only after its own size was compared with the header's."""
    from imagecodecs import jpeg2k_decode

    _check_closed(encoded)
    begin = encoded.find(_J2K_START, 0, 4096)
    if begin < 0:
        msg = "there is no JPEG 2000 codestream"
        raise ValueError(msg)
    # The SIZ marker (ISO/IEC 15444-1, A.5.1): extents, offsets, then the components' depths.
    right, bottom, left, top = struct.unpack(">4I", encoded[begin + 8 : begin + 24])
    components, depth = struct.unpack(">HB", encoded[begin + 40 : begin + 43])
    if (bottom - top, right - left, components) != (layout.rows, layout.columns, 1):
        msg = f"codestream of {bottom - top} x {right - left} x {components}"
        raise ValueError(msg)
    return DecodedFrame(jpeg2k_decode(encoded[begin:]), (depth & 0x7F) + 1)


_J2K_START = b"\xff\x4f\xff\x51"


def _check_jpeg_extent(encoded: bytes, layout: PixelLayout) -> None:
    """Compares the size that a JPEG or JPEG-LS declares with the header's, before decoding.

    The frame header is the first segment of a kind SOF (ISO/IEC 10918-1, B.2.2; 14495-1, C.2.2).
    """
    at = encoded.find(b"\xff\xd8") + 2
    while at >= 2 and at + 9 <= len(encoded) and encoded[at] == 0xFF:
        marker, length = encoded[at + 1], int.from_bytes(encoded[at + 2 : at + 4])
        if marker in _START_OF_FRAME:
            rows, columns = struct.unpack(">2H", encoded[at + 5 : at + 9])
            if (rows, columns) != (layout.rows, layout.columns):
                msg = f"codestream of {rows} x {columns}"
                raise ValueError(msg)
            return
        at += 1 if marker == 0xFF else 2 + length
    msg = "there is no JPEG frame header"
    raise ValueError(msg)


_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})


def _check_closed(encoded: bytes) -> None:
    """Refuses a JPEG of any kind without an end marker: one that was cut would decode to grey."""
    if encoded.rfind(b"\xff\xd9", max(0, len(encoded) - 64)) < 0:
        msg = f"The compressed pixels end early, {len(encoded)} bytes are there; copy it again"
        raise SeriesError(Reason.TRUNCATED, msg)


DECODERS: Mapping[str, Callable[[bytes, PixelLayout], DecodedFrame]] = MappingProxyType(
    {
        RLELossless: _rle,
        JPEGBaseline8Bit: _jpeg,
        JPEGExtended12Bit: _jpeg,
        JPEG_SPECTRAL_SELECTION: _jpeg,
        JPEG_FULL_PROGRESSION: _jpeg,
        JPEGLossless: _jpeg,
        JPEGLosslessSV1: _jpeg,
        JPEGLSLossless: _jpeg_ls,
        JPEGLSNearLossless: _jpeg_ls,
        JPEG2000Lossless: _jpeg_2000,
        JPEG2000: _jpeg_2000,
    }
)
"""The decoder of each compressed transfer syntax that can be read."""
