"""Reads the pixels of one frame as Hounsfield units, straight into a slice of a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.dataset import deflated_start, inflate
from hounsfield.preprocessing.dicom.headers.plane import Plane
from hounsfield.preprocessing.dicom.headers.transfer_syntaxes import NATIVE_SYNTAXES
from hounsfield.preprocessing.dicom.pixels.codecs import DecodedFrame, decode_frame
from hounsfield.preprocessing.dicom.pixels.hu_scale import (
    BETWEEN_AIR_AND_PADDING_HU,
    count_below_air,
    hu_fault,
)
from hounsfield.preprocessing.dicom.pixels.pixel_bits import interpret
from hounsfield.preprocessing.dicom.pixels.stored_values import (
    Rescale,
    inverted,
    is_inverted,
    is_plausible,
    padding_is_tissue,
    padding_mask,
    replace_padding,
    rescale,
)
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from io import BufferedIOBase

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.instance import Instance
    from hounsfield.preprocessing.dicom.headers.pixel_layout import PixelLayout
    from hounsfield.preprocessing.geometry.frame import Frame


@dataclass(frozen=True, slots=True)
class FrameNotes:
    """What a report must say about the pixels of one frame.

    Attributes:
        padding_voxels: Number of voxels that were never measured.
        low_voxels: Number of voxels in `BETWEEN_AIR_AND_PADDING_HU`, where nothing is.
        conflicts: How pixels and header contradict each other, in words.
    """

    padding_voxels: int = 0
    low_voxels: int = 0
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
        MemoryError: There is too little memory, whatever the codec said.
    """
    try:
        with as_series_error(str(instance.source)):
            return _read_hu(instance, frame, out)
    except SeriesError as error:
        if error.reason is Reason.OUT_OF_MEMORY:  # no fault of this slice: it must not be filled
            raise MemoryError(error.message) from error
        raise


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
    fault = hu_fault(Plane(instance, frame))
    if fault is not None or frame.rescale_slope is None or frame.rescale_intercept is None:
        raise fault or SeriesError(Reason.HU_UNKNOWN, "The header has no rescale to HU")
    to_hu = Rescale(frame.rescale_slope, frame.rescale_intercept)
    bits, precision = _read_bits(instance, layout, frame, out)
    conflicts: list[str] = []
    signed = layout.signed
    if bits.dtype.kind == "i" and not signed:
        conflicts.append("the codestream is signed, PixelRepresentation (0028,0103) is 0")
        signed = True
    stored, of_bits = interpret(bits, layout, precision, to_hu, signed=signed)
    if not is_plausible(stored, layout, to_hu):
        other, of_bits = interpret(bits, layout, precision, to_hu, signed=not signed)
        if not is_plausible(other, layout, to_hu):
            low, high = stored.hu_range(to_hu)
            msg = f"The decoded values of {low:.0f} to {high:.0f} cannot be HU"
            raise SeriesError(Reason.UNREADABLE, msg)
        conflicts.append(
            f"PixelRepresentation (0028,0103) is {int(layout.signed)}, only "
            f"{int(not signed)} gives plausible HU"
        )
        stored = other
    conflicts += of_bits
    if layout.photometric == "MONOCHROME1" and is_inverted(stored, to_hu):
        conflicts.append("the stored values are inverted (MONOCHROME1) and were inverted back")
        stored = inverted(stored, layout)
    if padding_is_tissue(stored, layout, to_hu):
        conflicts.append("PixelPaddingValue (0028,0120) is a value of tissue and was left as it is")
    padding = padding_mask(stored, layout, to_hu)
    lowest, _ = stored.hu_range(to_hu)
    rescale(stored, to_hu, out)
    low_voxels = count_below_air(out) if lowest < BETWEEN_AIR_AND_PADDING_HU[1] else 0
    count = replace_padding(out, padding, lowest)
    return FrameNotes(count, low_voxels, tuple(conflicts))


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
