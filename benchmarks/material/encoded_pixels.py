"""Encodes pixels in each transfer syntax, for the benchmarks and the tests."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset


def encode_rle(pixels: NDArray[np.integer]) -> bytes:
    """Returns an RLE frame: a segment for each byte of a value, the most significant first.

    Args:
        pixels: Stored values, ``[row, column]``; each row is encoded on its own (PS3.5, G.3.1).
    """
    from imagecodecs import packbits_encode

    octets = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")).view(np.uint8)
    planes = octets.reshape(*pixels.shape, pixels.dtype.itemsize)
    segments = []
    for plane in reversed(range(pixels.dtype.itemsize)):
        segment = b"".join(packbits_encode(row.tobytes()) for row in planes[..., plane])
        segments.append(segment + bytes(len(segment) % 2))
    offsets = [64 + sum(map(len, segments[:number])) for number in range(len(segments))]
    header = struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments)))
    return header + b"".join(segments)


def _jpeg_ls(pixels: NDArray[np.uint16]) -> bytes:
    from imagecodecs import jpegls_encode

    return bytes(jpegls_encode(pixels))


def _jpeg_lossless(pixels: NDArray[np.uint16]) -> bytes:
    from imagecodecs import jpeg8_encode

    return bytes(jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=16))


def _jpeg_2000(pixels: NDArray[np.uint16]) -> bytes:
    from imagecodecs import jpeg2k_encode

    return bytes(jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0))


ENCODERS: dict[UID, Callable[[NDArray[np.uint16]], bytes]] = {
    RLELossless: encode_rle,
    JPEGLSLossless: _jpeg_ls,
    JPEGLosslessSV1: _jpeg_lossless,
    JPEG2000Lossless: _jpeg_2000,
}
"""The encoder of each compressed transfer syntax, without loss."""


def set_transfer_syntax(dataset: Dataset, syntax: UID) -> None:
    """Encodes the pixels of a CT image in another transfer syntax, in place.

    Args:
        dataset: One frame of 16 bits, native and little endian.
        syntax: Any native one, or one of `ENCODERS`.
    """
    dataset.file_meta.TransferSyntaxUID = syntax
    pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = pixels.astype(">u2").tobytes()
    elif syntax in ENCODERS:
        dataset.PixelData = encapsulate([ENCODERS[syntax](np.ascontiguousarray(pixels))])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
