"""Reads the pixels of one frame as Hounsfield units, straight into a slice of a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.codecs import DecodedFrame, decode_frame
from hounsfield.preprocessing.dicom.dataset import deflated_start, inflate
from hounsfield.preprocessing.dicom.stored_values import (
    interpret,
    inverted,
    is_inverted,
    is_plausible,
    padding_is_tissue,
    padding_mask,
    replace_padding,
    rescale,
)
from hounsfield.preprocessing.dicom.transfer_syntaxes import NATIVE_SYNTAXES
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from io import BufferedIOBase

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.header import Instance, PixelLayout
    from hounsfield.preprocessing.geometry.frame import Frame


@dataclass(frozen=True, slots=True)
class FrameNotes:
    """What a report must say about the pixels of one frame.

    Attributes:
        padding_voxels: Number of voxels that were never measured.
        conflicts: How pixels and header contradict each other, in words.
    """

    padding_voxels: int = 0
    conflicts: tuple[str, ...] = ()


def read_hu(instance: Instance, frame: Frame, out: NDArray[np.int16]) -> FrameNotes:
    """Reads one frame into `out`, ``[row, column]``, C-contiguous, as Hounsfield units.

    Args:
        instance: An instance with pixels and without `damage`.
        frame: One of the instance's frames.
        out: int16 of the size in the header; its content is replaced.

    Returns:
        Padding and contradictions for the notices.

    Raises:
        SeriesError: The pixels cannot be read or cannot be HU; the path is that of the file.
    """
    try:
        return _read_hu(instance, frame, out)
    except OSError as error:
        msg = f"The file cannot be read: {error.strerror or error}"
        raise SeriesError(Reason.UNREADABLE, msg, path=str(instance.source)) from error
    except SeriesError as error:
        raise error.with_path(str(instance.source)) from error


def _read_hu(instance: Instance, frame: Frame, out: NDArray[np.int16]) -> FrameNotes:
    layout = instance.pixels
    if layout is None:
        msg = "The file holds no pixels"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    if layout.samples_per_pixel != 1 or layout.bits_allocated not in {8, 16, 32}:
        msg = (
            f"Pixels of {layout.samples_per_pixel} samples of {layout.bits_allocated} bits are not "
            "supported; CT has 1 sample of 8, 16 or 32 bits"
        )
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    if frame.rescale_slope == 0:
        msg = "RescaleSlope (0028,1053) is 0, which makes all pixels equal; the HU are unknown"
        raise SeriesError(Reason.UNREADABLE, msg)
    bits, precision = _read_bits(instance, layout, frame, out)
    conflicts: list[str] = []
    signed = layout.signed
    if bits.dtype.kind == "i" and not signed:
        conflicts.append("the codestream is signed, PixelRepresentation (0028,0103) is 0")
        signed = True
    stored = interpret(bits, layout, precision, signed=signed)
    if not is_plausible(stored, layout, frame):
        other = interpret(bits, layout, precision, signed=not signed)
        if not is_plausible(other, layout, frame):
            low, high = stored.hu_range(frame)
            msg = f"The decoded values of {low:.0f} to {high:.0f} cannot be HU"
            raise SeriesError(Reason.UNREADABLE, msg)
        conflicts.append(
            f"PixelRepresentation (0028,0103) is {int(layout.signed)}, only "
            f"{int(not signed)} gives plausible HU"
        )
        stored = other
    if layout.photometric == "MONOCHROME1" and is_inverted(stored, frame):
        conflicts.append("the stored values are inverted (MONOCHROME1) and were inverted back")
        stored = inverted(stored, layout)
    if padding_is_tissue(stored, layout, frame):
        conflicts.append("PixelPaddingValue (0028,0120) is a value of tissue and was left as it is")
    padding = padding_mask(stored, layout, frame)
    lowest, _ = stored.hu_range(frame)
    rescale(stored, frame, out)
    count = replace_padding(out, padding, lowest)
    return FrameNotes(count, tuple(conflicts))


def _read_bits(
    instance: Instance, layout: PixelLayout, frame: Frame, out: NDArray[np.int16]
) -> tuple[NDArray[np.integer], int]:
    """The frame's elements, not yet interpreted, and how many bits of each are declared to count.

    Native 16-bit elements are read into `out` itself, whatever its dtype.
    """
    syntax = instance.transfer_syntax_uid
    if layout.fragments and syntax in NATIVE_SYNTAXES:
        msg = (
            f"The pixels are compressed, but transfer syntax {syntax} (0002,0010), declared or "
            "inferred, means uncompressed ones; export the file again"
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
        msg = f"Transfer syntax {syntax} is not supported for pixels that are not encapsulated"
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
        msg = f"A frame needs {layout.frame_bytes} bytes, {present} are there; copy the file again"
        raise SeriesError(Reason.TRUNCATED, msg)
