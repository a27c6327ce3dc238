"""One frame's stored pixels as Hounsfield units, written straight into a slice of a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.codecs import NATIVE_SYNTAXES, DecodedFrame, decode_frame
from hounsfield.preprocessing.dicom.dataset import deflated_start, inflate
from hounsfield.preprocessing.dicom.stored_values import (
    interpret,
    is_believable,
    is_inverted,
    padding_is_tissue,
    padding_mask,
    replace_padding,
    rescale,
    turned_back,
)
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from io import BufferedIOBase

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.frames import Frame
    from hounsfield.preprocessing.dicom.header import Instance, PixelLayout


@dataclass(frozen=True, slots=True)
class FrameFindings:
    """What was noticed in one frame.

    Attributes:
        padding_voxels: How many voxels were never measured.
        conflicts: Where pixels and header contradict each other, in words.
    """

    padding_voxels: int = 0
    conflicts: tuple[str, ...] = ()


def read_hu(instance: Instance, frame: Frame, out: NDArray[np.int16]) -> FrameFindings:
    """Reads one frame into `out`, ``[row, column]``, C-contiguous, as Hounsfield units.

    Args:
        instance: An instance with pixels that `read_instance` found whole.
        frame: One of its frames.
        out: int16 of the size that the header tells; filled.

    Raises:
        SeriesError: Where the pixels cannot be read or cannot be HU; names the file.
    """
    try:
        return _read_hu(instance, frame, out)
    except OSError as error:
        msg = f"{instance.source} cannot be read: {error.strerror or error}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    except SeriesError as error:
        raise SeriesError(error.reason, f"{instance.source}: {error.message}") from error


def _read_hu(instance: Instance, frame: Frame, out: NDArray[np.int16]) -> FrameFindings:
    layout = instance.pixels
    if layout is None:
        msg = "it holds no pixels"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    if layout.samples_per_pixel != 1 or layout.bits_allocated not in {8, 16, 32}:
        msg = (
            f"pixels of {layout.samples_per_pixel} samples of {layout.bits_allocated} bits are not "
            "supported; CT has 1 sample of 8, 16 or 32 bits"
        )
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    if frame.rescale_slope == 0:
        msg = "RescaleSlope (0028,1053) is 0, which makes every pixel the same; its HU are not told"
        raise SeriesError(Reason.UNREADABLE, msg)
    bits, precision = _read_bits(instance, layout, frame, out)
    conflicts: list[str] = []
    signed = layout.signed
    if bits.dtype.kind == "i" and not signed:
        conflicts.append("the codestream is signed, PixelRepresentation (0028,0103) is 0")
        signed = True
    stored = interpret(bits, layout, precision, signed=signed)
    if not is_believable(stored, layout, frame):
        other = interpret(bits, layout, precision, signed=not signed)
        if not is_believable(other, layout, frame):
            low, high = stored.hu_range(frame)
            msg = f"its decoded values of {low:.0f} to {high:.0f} cannot be HU"
            raise SeriesError(Reason.UNREADABLE, msg)
        conflicts.append(
            f"PixelRepresentation (0028,0103) is {int(layout.signed)}, only "
            f"{int(not signed)} gives believable HU"
        )
        stored = other
    if layout.photometric == "MONOCHROME1" and is_inverted(stored, frame):
        conflicts.append("MONOCHROME1 with inverted stored values, turned back")
        stored = turned_back(stored, layout)
    if padding_is_tissue(stored, layout, frame):
        conflicts.append("PixelPaddingValue (0028,0120) is a value of tissue, left as it is")
    padding = padding_mask(stored, layout, frame)
    lowest, _ = stored.hu_range(frame)
    rescale(stored, frame, out)
    count = replace_padding(out, padding, lowest)
    return FrameFindings(count, tuple(conflicts))


def _read_bits(
    instance: Instance, layout: PixelLayout, frame: Frame, out: NDArray[np.int16]
) -> tuple[NDArray[np.integer], int]:
    """The frame's elements, not yet interpreted, and how many bits of each are said to count.

    Native 16-bit elements are read into `out` itself; its dtype then says nothing.
    """
    syntax = instance.transfer_syntax_uid
    if layout.fragments and syntax in NATIVE_SYNTAXES:
        msg = (
            f"its pixels are compressed, but transfer syntax (0002,0010) {syntax}, told or found, "
            "is of plain ones; export it again"
        )
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    if layout.fragments:
        with instance.source.open() as file:
            parts = []
            for position, length in layout.fragments[frame.number - 1]:
                file.seek(position)
                parts.append(file.read(length))
        decoded: DecodedFrame = decode_frame(b"".join(parts), layout, syntax)
        return decoded.stored, min(decoded.precision, layout.bits_stored)
    if syntax not in NATIVE_SYNTAXES:
        msg = f"transfer syntax {syntax} is not supported for pixels that are not encapsulated"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    position = layout.offset + (frame.number - 1) * layout.frame_bytes
    with instance.source.open() as file:
        if syntax == DeflatedExplicitVRLittleEndian:
            whole = file.read()
            inflated = inflate(whole[deflated_start(whole) :], position + layout.frame_bytes)
            raw = inflated[position:]
        elif layout.bits_allocated == 16:
            file.seek(position)
            _check_count(cast("BufferedIOBase", file).readinto(out.data.cast("B")), layout)
            if syntax == ExplicitVRBigEndian:
                out.byteswap(inplace=True)
            return out.view(np.uint16), layout.bits_stored
        else:
            file.seek(position)
            raw = file.read(layout.frame_bytes)
    _check_count(len(raw), layout)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    elements = np.frombuffer(raw, dtype=f"{order}u{layout.bits_allocated // 8}")
    elements = elements.astype(elements.dtype.newbyteorder("="), copy=False)
    return elements.reshape(layout.rows, layout.columns), layout.bits_stored


def _check_count(present: int, layout: PixelLayout) -> None:
    if present < layout.frame_bytes:
        msg = f"a frame needs {layout.frame_bytes} bytes, {present} are there; copy it again"
        raise SeriesError(Reason.TRUNCATED, msg)
