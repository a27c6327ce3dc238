"""`Instance`: what the pipeline needs of one SOP instance's header, read without its pixels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydicom.uid import DeflatedExplicitVRLittleEndian

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.dataset import (
    UNDEFINED_LENGTH,
    ParsedHeader,
    deflated_start,
    inflated_length,
    parse_header,
)
from hounsfield.preprocessing.dicom.fragments import (
    Fragment,
    FragmentsError,
    find_fragments,
    group_by_frame,
)
from hounsfield.preprocessing.dicom.frames import FRAME_TAGS, Frame, read_frames
from hounsfield.preprocessing.dicom.values import (
    Elements,
    codes,
    integer,
    number,
    text,
    uid,
    unsigned_short,
)
from hounsfield.preprocessing.errors import PYDICOM_PARSE_ERRORS, SeriesError
from hounsfield.preprocessing.volume import SeriesFacts

if TYPE_CHECKING:
    from typing import BinaryIO

    from hounsfield.preprocessing.files.sources import ByteSource

_MEDIA_STORAGE_SOP_CLASS = 0x00020002
_IMAGE_TYPE = 0x00080008
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_STUDY_DATE, _ACQUISITION_TIME, _MODALITY = 0x00080020, 0x00080032, 0x00080060
_MANUFACTURER, _MANUFACTURER_MODEL = 0x00080070, 0x00081090
_STUDY_DESCRIPTION, _SERIES_DESCRIPTION = 0x00081030, 0x0008103E
_PATIENT_ID, _PATIENT_SEX, _PATIENT_AGE = 0x00100020, 0x00100040, 0x00101010
_CONTRAST_BOLUS_AGENT, _BODY_PART, _KVP = 0x00180010, 0x00180015, 0x00180060
_SPACING_BETWEEN_SLICES = 0x00180088
_CONVOLUTION_KERNEL, _PATIENT_POSITION = 0x00181210, 0x00185100
_STUDY_UID, _SERIES_UID, _FRAME_OF_REFERENCE = 0x0020000D, 0x0020000E, 0x00200052
_SERIES_NUMBER, _ACQUISITION_NUMBER, _INSTANCE_NUMBER = 0x00200011, 0x00200012, 0x00200013
_SAMPLES_PER_PIXEL, _PHOTOMETRIC, _NUMBER_OF_FRAMES = 0x00280002, 0x00280004, 0x00280008
_ROWS, _COLUMNS = 0x00280010, 0x00280011
_BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT = 0x00280100, 0x00280101, 0x00280102
_PIXEL_REPRESENTATION, _PADDING_VALUE, _PADDING_LIMIT = 0x00280103, 0x00280120, 0x00280121
_LOSSY = 0x00282110

_TAGS = [
    *FRAME_TAGS,
    0x00080005, _IMAGE_TYPE, _SOP_CLASS, _SOP_INSTANCE, _STUDY_DATE, _ACQUISITION_TIME, _MODALITY,
    _MANUFACTURER, _MANUFACTURER_MODEL, _STUDY_DESCRIPTION, _SERIES_DESCRIPTION, _PATIENT_ID,
    _PATIENT_SEX, _PATIENT_AGE, _CONTRAST_BOLUS_AGENT, _BODY_PART, _KVP, _SPACING_BETWEEN_SLICES,
    _CONVOLUTION_KERNEL, _PATIENT_POSITION, _STUDY_UID, _SERIES_UID, _FRAME_OF_REFERENCE,
    _SERIES_NUMBER, _ACQUISITION_NUMBER, _INSTANCE_NUMBER, _SAMPLES_PER_PIXEL, _PHOTOMETRIC,
    _NUMBER_OF_FRAMES, _ROWS, _COLUMNS, _BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT,
    _PIXEL_REPRESENTATION, _PADDING_VALUE, _PADDING_LIMIT, _LOSSY,
]  # fmt: skip

_MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
_LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 81, 91))


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the pixels of an instance are stored.

    Attributes:
        offset: First byte of the pixel data; in a deflated file, of the inflated stream.
        length: Bytes of native pixel data, 0 where it is encapsulated.
        fragments: For each frame, where its compressed bytes lie; empty for native pixels.
        padding: PixelPaddingValue and PixelPaddingRangeLimit as raw 16 bits, lowest first.
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


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance, from its header alone.

    Attributes:
        frames: One of a classic instance; the planes of a multi-frame one. Empty where there
            are no pixels.
        pixels: None where there are no pixels.
        damage: Why the pixels cannot be read though the header can; None where they may be.
    """

    source: ByteSource
    facts: SeriesFacts
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    frame_of_reference_uid: str
    acquisition_number: int | None
    acquisition_time: str
    instance_number: int | None
    spacing_between_slices_mm: float | None
    frames: tuple[Frame, ...]
    pixels: PixelLayout | None
    damage: SeriesError | None = None


def read_instance(source: ByteSource) -> Instance:
    """Reads the header of a DICOM file; its pixels are only looked for, never read.

    Args:
        source: Any file: whether it is DICOM is told by its content.

    Raises:
        SeriesError: `not_an_image` for files that are not DICOM and for a DICOMDIR,
            `truncated` where the file ends inside the header, `unreadable` where the header
            makes no sense or the file cannot be opened.
    """
    try:
        with source.open() as file:
            size = file.seek(0, 2)
            file.seek(0)
            header = parse_header(file, size, _TAGS)
            return _instance(source, header, file, size)
    except OSError as error:
        msg = f"{source} cannot be read: {error.strerror or error}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    except SeriesError as error:
        if str(source) in error.message:
            raise
        raise SeriesError(error.reason, f"{source}: {error.message}") from error
    except PYDICOM_PARSE_ERRORS as error:
        msg = f"{source}: its DICOM elements make no sense ({type(error).__name__})"
        raise SeriesError(Reason.UNREADABLE, msg) from error


def _instance(
    source: ByteSource, header: ParsedHeader | None, file: BinaryIO, size: int
) -> Instance:
    if header is None:
        msg = f"{source} is not DICOM: it does not begin with DICOM elements"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    elements = header.elements
    sop_class = uid(elements, _SOP_CLASS)
    if (sop_class or uid(elements, _MEDIA_STORAGE_SOP_CLASS)) == _MEDIA_STORAGE_DIRECTORY:
        msg = f"{source} is a DICOMDIR, an index of other files"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    if not header.complete:
        msg = f"{source} is cut off inside its header, {size} bytes are there; copy it again"
        raise SeriesError(Reason.TRUNCATED, msg)
    rows = unsigned_short(elements, _ROWS)
    if not (sop_class or codes(elements, _MODALITY) or rows):
        msg = f"{source} is not DICOM: it has neither SOP class nor modality nor rows"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    frame_count = max(1, integer(elements, _NUMBER_OF_FRAMES) or 1)
    pixels, damage = _pixels(source, header, file, size, frame_count)
    # Only a frame count that the pixels bear out is believed.
    frames = read_frames(elements, frame_count if pixels and damage is None else 1)
    return Instance(
        source=source,
        facts=_facts(elements, source, header.transfer_syntax_uid, frames[0]),
        sop_class_uid=sop_class,
        sop_instance_uid=uid(elements, _SOP_INSTANCE),
        transfer_syntax_uid=header.transfer_syntax_uid,
        frame_of_reference_uid=uid(elements, _FRAME_OF_REFERENCE),
        acquisition_number=integer(elements, _ACQUISITION_NUMBER),
        acquisition_time=text(elements, _ACQUISITION_TIME),
        instance_number=integer(elements, _INSTANCE_NUMBER),
        spacing_between_slices_mm=number(elements, _SPACING_BETWEEN_SLICES),
        frames=frames if pixels else (),
        pixels=pixels,
        damage=damage,
    )


def _pixels(
    source: ByteSource, header: ParsedHeader, file: BinaryIO, size: int, frame_count: int
) -> tuple[PixelLayout | None, SeriesError | None]:
    """Where the pixels lie, and whether as many are there as the header says."""
    elements = header.elements
    rows, columns = unsigned_short(elements, _ROWS), unsigned_short(elements, _COLUMNS)
    bits_allocated = unsigned_short(elements, _BITS_ALLOCATED)
    if header.pixel_offset is None or not rows or not columns or not bits_allocated:
        return None, None
    bits_stored = unsigned_short(elements, _BITS_STORED) or bits_allocated
    high_bit = unsigned_short(elements, _HIGH_BIT)
    padding = unsigned_short(elements, _PADDING_VALUE)
    limit = unsigned_short(elements, _PADDING_LIMIT)
    encapsulated = header.pixel_length == UNDEFINED_LENGTH
    layout = PixelLayout(
        rows=rows,
        columns=columns,
        samples_per_pixel=unsigned_short(elements, _SAMPLES_PER_PIXEL) or 1,
        photometric=next(iter(codes(elements, _PHOTOMETRIC)), ""),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else high_bit,
        signed=unsigned_short(elements, _PIXEL_REPRESENTATION) == 1,
        padding=None if padding is None else (padding, padding if limit is None else limit),
        offset=header.pixel_offset,
        length=0 if encapsulated else header.pixel_length,
    )
    try:
        if encapsulated:
            return _with_fragments(layout, file, size, frame_count), None
        if header.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
            file.seek(0)
            size = _inflated_size(file.read(), layout, frame_count)
        _check_native(layout, size, frame_count)
    except (FragmentsError, zlib.error) as error:
        msg = f"{source} is cut off inside its pixels: {error}; copy it again"
        return layout, SeriesError(Reason.TRUNCATED, msg)
    return layout, None


def _with_fragments(
    layout: PixelLayout, file: BinaryIO, size: int, frame_count: int
) -> PixelLayout:
    offsets, fragments = find_fragments(file, layout.offset, size)
    return replace(layout, fragments=tuple(group_by_frame(file, offsets, fragments, frame_count)))


def _inflated_size(whole: bytes, layout: PixelLayout, frame_count: int) -> int:
    """The length of the inflated stream, as far as it matters."""
    enough = layout.offset + layout.frame_bytes * frame_count
    return inflated_length(whole[deflated_start(whole) :], enough)


def _check_native(layout: PixelLayout, size: int, frame_count: int) -> None:
    """Compares Rows x Columns x frames x bits with what is there, before anything is made."""
    expected = layout.frame_bytes * frame_count
    present = max(0, min(layout.length, size - layout.offset))
    if present < expected:
        msg = (
            f"{layout.rows} x {layout.columns} pixels in {frame_count} frame(s) need {expected} "
            f"bytes, {present} are there"
        )
        raise FragmentsError(msg)


def _facts(
    elements: Elements, source: ByteSource, transfer_syntax_uid: str, first_frame: Frame
) -> SeriesFacts:
    series_uid = uid(elements, _SERIES_UID) or f"no-uid-{source.name}"
    declared_lossy = codes(elements, _LOSSY)[:1]
    return SeriesFacts(
        study_uid=uid(elements, _STUDY_UID) or series_uid,
        series_uid=series_uid,
        patient_id=text(elements, _PATIENT_ID),
        patient_sex=text(elements, _PATIENT_SEX),
        patient_age_years=_age_years(text(elements, _PATIENT_AGE)),
        study_date=text(elements, _STUDY_DATE),
        study_description=text(elements, _STUDY_DESCRIPTION),
        series_description=text(elements, _SERIES_DESCRIPTION),
        series_number=integer(elements, _SERIES_NUMBER),
        modality=next(iter(codes(elements, _MODALITY)), ""),
        manufacturer=text(elements, _MANUFACTURER),
        manufacturer_model_name=text(elements, _MANUFACTURER_MODEL),
        convolution_kernel=text(elements, _CONVOLUTION_KERNEL),
        slice_thickness_mm=first_frame.slice_thickness_mm,
        kvp=number(elements, _KVP),
        contrast_bolus_agent=text(elements, _CONTRAST_BOLUS_AGENT),
        body_part_examined=text(elements, _BODY_PART).upper(),
        patient_position=text(elements, _PATIENT_POSITION).upper(),
        image_type=codes(elements, _IMAGE_TYPE),
        transfer_syntax_uids=(transfer_syntax_uid,),
        lossy=declared_lossy == ("01",) or transfer_syntax_uid in _LOSSY_SYNTAXES,
    )


_YEARS_PER_UNIT = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def _age_years(age: str) -> float | None:
    """An age string such as ``063Y`` in years (PS3.5, VR AS)."""
    if len(age) < 2 or not age[:-1].isdigit() or age[-1] not in _YEARS_PER_UNIT:
        return None
    return int(age[:-1]) * _YEARS_PER_UNIT[age[-1]]
