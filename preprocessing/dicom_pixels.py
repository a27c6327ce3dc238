"""One frame's stored pixels as Hounsfield units, written straight into a slice of a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from preprocessing.codes import Reason
from preprocessing.dicom_codecs import NATIVE_SYNTAXES, DecodedFrame, decode_frame
from preprocessing.dicom_dataset import deflated_start, inflate
from preprocessing.errors import SeriesError
from preprocessing.volume import AIR_HU

if TYPE_CHECKING:
    from io import BufferedIOBase

    from numpy.typing import NDArray

    from preprocessing.dicom_frames import Frame
    from preprocessing.dicom_header import Instance, PixelLayout

LOWEST_HU = -1024
"""No scanner measures less on the scale of CT: lower values are padding, written as `AIR_HU`."""

BELIEVABLE_HU = (-5000, 32000)
"""Beyond it nothing is a HU, not even metal on an extended scale."""

_MOST_UNBELIEVABLE = 0.01
"""The fraction of voxels that may lie beyond, as single broken pixels do."""

_PADDING_NEVER_IN = (-900, 3071)
"""A padding value here would punch holes in tissue: the header is not believed."""


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
    stored = _interpret(bits, layout, precision, signed=signed)
    if not _is_believable(stored, layout, frame):
        other = _interpret(bits, layout, precision, signed=not signed)
        if not _is_believable(other, layout, frame):
            low, high = stored.hu_range(frame)
            msg = f"its decoded values of {low:.0f} to {high:.0f} cannot be HU"
            raise SeriesError(Reason.UNREADABLE, msg)
        conflicts.append(
            f"PixelRepresentation (0028,0103) is {int(layout.signed)}, only "
            f"{int(not signed)} gives believable HU"
        )
        stored = other
    if layout.photometric == "MONOCHROME1" and _is_inverted(stored, frame):
        conflicts.append("MONOCHROME1 with inverted stored values, turned back")
        stored = _turned_back(stored, layout)
    if _padding_is_tissue(stored, layout, frame):
        conflicts.append("PixelPaddingValue (0028,0120) is a value of tissue, left as it is")
    padding = _padding_mask(stored, layout, frame)
    lowest, _ = stored.hu_range(frame)
    _rescale(stored, frame, out)
    count = _replace_padding(out, padding, lowest)
    return FrameFindings(count, tuple(conflicts))


@dataclass(frozen=True, slots=True)
class _Stored:
    """Stored values with their sign, and their ends."""

    values: NDArray[np.integer]
    low: int
    high: int

    @classmethod
    def of(cls, values: NDArray[np.integer]) -> _Stored:
        return cls(values, int(values.min()), int(values.max()))

    def hu_range(self, frame: Frame) -> tuple[float, float]:
        ends = [
            end * frame.rescale_slope + frame.rescale_intercept for end in (self.low, self.high)
        ]
        return min(ends), max(ends)


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


def _interpret(
    bits: NDArray[np.integer], layout: PixelLayout, precision: int, *, signed: bool
) -> _Stored:
    """Gives the elements their sign, and clears bits that are not the pixel's (PS3.5, 8.1.1).

    With 12 bits stored in 16: unsigned 0xF123 is 0x123 (an overlay lies above), signed 0x0800
    is -2048.
    """
    size = 8 * bits.dtype.itemsize
    elements = bits.view(f"{'i' if signed else 'u'}{bits.dtype.itemsize}")
    shift_down = layout.high_bit + 1 - layout.bits_stored
    if 0 < shift_down < size and not layout.fragments:
        elements = elements >> shift_down
    stored = _Stored.of(elements)
    unused = size - precision
    if unused <= 0 or bits.dtype.kind == "i":
        return stored
    low, high = (-(1 << (precision - 1)), 1 << (precision - 1)) if signed else (0, 1 << precision)
    if stored.low >= low and stored.high < high:
        return stored
    return _Stored.of((elements << unused) >> unused)


def _is_believable(stored: _Stored, layout: PixelLayout, frame: Frame) -> bool:
    """Whether all but a few values could be HU; padding, and one lowest value all over, aside."""
    low, high = stored.hu_range(frame)
    if low >= BELIEVABLE_HU[0] and high <= BELIEVABLE_HU[1]:
        return True
    values = stored.values
    hu = values * np.float32(frame.rescale_slope) + np.float32(frame.rescale_intercept)
    beyond = ((hu < BELIEVABLE_HU[0]) & (values != stored.low)) | (hu > BELIEVABLE_HU[1])
    padding = _padding_mask(stored, layout, frame)
    if padding is not None:
        beyond &= ~padding
    return bool(np.count_nonzero(beyond) <= _MOST_UNBELIEVABLE * values.size)


def _padding_bounds(stored: _Stored, layout: PixelLayout) -> tuple[int, int] | None:
    """PixelPaddingValue and its limit in the sign of the pixels: 63536 is -2000 if signed."""
    if layout.padding is None:
        return None
    bounds = [
        value - 65536 if stored.values.dtype.kind == "i" and value >= 32768 else value
        for value in layout.padding
    ]
    return min(bounds), max(bounds)


def _padding_mask(stored: _Stored, layout: PixelLayout, frame: Frame) -> NDArray[np.bool_] | None:
    """Where the padding declared by the header stands; None where it stands nowhere."""
    bounds = _padding_bounds(stored, layout)
    if bounds is None or bounds[0] > stored.high or bounds[1] < stored.low:
        return None
    if _padding_is_tissue(stored, layout, frame):
        return None
    if bounds[0] == bounds[1]:
        mask = stored.values == bounds[0]
    else:
        mask = (stored.values >= bounds[0]) & (stored.values <= bounds[1])
    return mask if mask.any() else None


def _padding_is_tissue(stored: _Stored, layout: PixelLayout, frame: Frame) -> bool:
    bounds = _padding_bounds(stored, layout)
    if bounds is None:
        return False
    low, high = sorted(value * frame.rescale_slope + frame.rescale_intercept for value in bounds)
    return low <= _PADDING_NEVER_IN[1] and high > _PADDING_NEVER_IN[0]


def _is_inverted(stored: _Stored, frame: Frame) -> bool:
    """Whether the border of the image is dense: around a patient there is air.

    MONOCHROME1 tells a display to draw low values bright; HU do not depend on it (PS3.3,
    C.7.6.3.1.2), but some writers turn the stored values as well.
    """
    values = stored.values
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    return float(np.median(border)) * frame.rescale_slope + frame.rescale_intercept > 500


def _turned_back(stored: _Stored, layout: PixelLayout) -> _Stored:
    """The mirror image within the bits stored."""
    top = -1 if stored.values.dtype.kind == "i" else (1 << layout.bits_stored) - 1
    return _Stored(top - stored.values, top - stored.high, top - stored.low)


def _rescale(stored: _Stored, frame: Frame, out: NDArray[np.int16]) -> None:
    """Writes slope x stored + intercept into `out`, in integers where they are integers."""
    slope, intercept = frame.rescale_slope, frame.rescale_intercept
    values = stored.values
    low, high = stored.hu_range(frame)
    fits = low >= -32768 and high <= 32767
    if fits and slope == 1 and intercept.is_integer() and values.dtype.itemsize == 2:
        # Modulo 2^16 the sum is right for both signs, and the result fits.
        np.add(values.view(np.uint16), np.uint16(int(intercept) % 65536), out=out.view(np.uint16))
        return
    hu = values.astype(np.float64 if values.dtype.itemsize == 4 else np.float32)
    np.multiply(hu, slope, out=hu)
    np.add(hu, intercept, out=hu)
    np.rint(hu, out=hu)
    np.clip(hu, -32768, 32767, out=hu)
    out[...] = hu


def _replace_padding(
    out: NDArray[np.int16], padding: NDArray[np.bool_] | None, lowest_hu: float
) -> int:
    """Writes air where nothing was measured; returns how many voxels that are."""
    count = 0
    if padding is not None:
        out[padding] = AIR_HU
        count = int(np.count_nonzero(padding))
    if lowest_hu < LOWEST_HU and out.min() < LOWEST_HU:
        too_low = out < LOWEST_HU
        out[too_low] = AIR_HU
        count += int(np.count_nonzero(too_low))
    return count
