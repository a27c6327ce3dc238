"""`Instance`: the header of one SOP instance, read without its pixels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

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
from hounsfield.preprocessing.dicom.frames import FRAME_KEYWORDS, read_frames
from hounsfield.preprocessing.dicom.transfer_syntaxes import LOSSY_SYNTAXES
from hounsfield.preprocessing.dicom.values import (
    Elements,
    codes,
    integer,
    number,
    tag_of,
    text,
    uid,
    unsigned_short,
)
from hounsfield.preprocessing.errors import PYDICOM_PARSE_ERRORS, SeriesError
from hounsfield.preprocessing.volume import SeriesFacts

if TYPE_CHECKING:
    from typing import BinaryIO

    from hounsfield.preprocessing.files.sources import ByteSource
    from hounsfield.preprocessing.geometry.frame import Frame

_TAGS = [
    tag_of(keyword)
    for keyword in (
        *FRAME_KEYWORDS,
        "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate",
        "AcquisitionTime", "Modality", "Manufacturer", "ManufacturerModelName",
        "StudyDescription", "SeriesDescription", "PatientID", "PatientSex", "PatientAge",
        "ContrastBolusAgent", "BodyPartExamined", "KVP", "SpacingBetweenSlices",
        "ConvolutionKernel", "PatientPosition", "StudyInstanceUID", "SeriesInstanceUID",
        "FrameOfReferenceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber",
        "SamplesPerPixel", "PhotometricInterpretation", "NumberOfFrames", "Rows", "Columns",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue",
        "PixelPaddingRangeLimit", "LossyImageCompression",
    )
]  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance, from its header alone.

    Attributes:
        source: The file that holds the instance.
        facts: What reports and decisions need of the series, as this instance states it.
        frames: One plane for a classic instance, all planes for a multi-frame one; empty if
            there are no pixels.
        pixels: How the pixels are stored; None if there are none.
        damage: Why the pixels cannot be read although the header can; None if they may be.
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
    """Reads the header of a DICOM file; its pixels are located, but not read.

    Args:
        source: Any file: its content decides whether it is DICOM.

    Returns:
        The instance; its `damage` says whether pixels are missing.

    Raises:
        SeriesError: `not_an_image` for a file that is not DICOM and for a DICOMDIR, `truncated`
            if the file ends inside the header, `unreadable` if the header is malformed or the
            file cannot be opened.
    """
    try:
        with source.open() as file:
            size = file.seek(0, 2)
            file.seek(0)
            header = parse_header(file, size, _TAGS)
            return _instance(source, header, file, size)
    except OSError as error:
        msg = f"The file cannot be read: {error.strerror or error}"
        raise SeriesError(Reason.UNREADABLE, msg, path=str(source)) from error
    except SeriesError as error:
        raise error.with_path(str(source)) from error
    except PYDICOM_PARSE_ERRORS as error:
        msg = f"The DICOM elements are malformed ({type(error).__name__})"
        raise SeriesError(Reason.UNREADABLE, msg, path=str(source)) from error


def _instance(
    source: ByteSource, header: ParsedHeader | None, file: BinaryIO, size: int
) -> Instance:
    if header is None:
        msg = "The file is not DICOM: it does not begin with DICOM elements"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    elements = header.elements
    sop_class = uid(elements, "SOPClassUID")
    if (sop_class or uid(elements, "MediaStorageSOPClassUID")) == MediaStorageDirectoryStorage:
        msg = "The file is a DICOMDIR, an index of other files"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    if not header.complete:
        msg = f"The file is cut off inside its header, {size} bytes are there; copy it again"
        raise SeriesError(Reason.TRUNCATED, msg)
    rows = unsigned_short(elements, "Rows")
    if not (sop_class or codes(elements, "Modality") or rows):
        msg = "The file is not DICOM: it has neither SOP class nor modality nor rows"
        raise SeriesError(Reason.NOT_AN_IMAGE, msg)
    frame_count = max(1, integer(elements, "NumberOfFrames") or 1)
    pixels, damage = _pixels(source, header, file, size, frame_count)
    # A frame count counts only if as many pixels are there.
    frames = read_frames(elements, frame_count if pixels and damage is None else 1)
    return Instance(
        source=source,
        facts=_facts(elements, source, header.transfer_syntax_uid, frames[0]),
        sop_class_uid=sop_class,
        sop_instance_uid=uid(elements, "SOPInstanceUID"),
        transfer_syntax_uid=header.transfer_syntax_uid,
        frame_of_reference_uid=uid(elements, "FrameOfReferenceUID"),
        acquisition_number=integer(elements, "AcquisitionNumber"),
        acquisition_time=text(elements, "AcquisitionTime"),
        instance_number=integer(elements, "InstanceNumber"),
        spacing_between_slices_mm=number(elements, "SpacingBetweenSlices"),
        frames=frames if pixels else (),
        pixels=pixels,
        damage=damage,
    )


def _pixels(
    source: ByteSource, header: ParsedHeader, file: BinaryIO, size: int, frame_count: int
) -> tuple[PixelLayout | None, SeriesError | None]:
    """How the pixels are stored, and an error if fewer are there than the header says."""
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
            file.seek(0)
            size = _inflated_size(file.read(), layout, frame_count)
        _check_native(layout, size, frame_count)
    except (FragmentsError, zlib.error) as error:
        msg = f"The file is cut off inside its pixels: {error}; copy it again"
        return layout, SeriesError(Reason.TRUNCATED, msg, path=str(source))
    return layout, None


def _with_fragments(
    layout: PixelLayout, file: BinaryIO, size: int, frame_count: int
) -> PixelLayout:
    offsets, fragments = find_fragments(file, layout.offset, size)
    return replace(layout, fragments=tuple(group_by_frame(file, offsets, fragments, frame_count)))


def _inflated_size(whole: bytes, layout: PixelLayout, frame_count: int) -> int:
    """The length of the inflated stream, counted up to the last pixel."""
    enough = layout.offset + layout.frame_bytes * frame_count
    return inflated_length(whole[deflated_start(whole) :], enough)


def _check_native(layout: PixelLayout, size: int, frame_count: int) -> None:
    """Compares Rows x Columns x frames x bits with the file's length, before any allocation."""
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
    series_uid = uid(elements, "SeriesInstanceUID") or f"no-uid-{source.name}"
    declared_lossy = codes(elements, "LossyImageCompression")[:1]
    return SeriesFacts(
        study_uid=uid(elements, "StudyInstanceUID") or series_uid,
        series_uid=series_uid,
        patient_id=text(elements, "PatientID"),
        patient_sex=text(elements, "PatientSex"),
        patient_age_years=_age_years(text(elements, "PatientAge")),
        study_date=text(elements, "StudyDate"),
        study_description=text(elements, "StudyDescription"),
        series_description=text(elements, "SeriesDescription"),
        series_number=integer(elements, "SeriesNumber"),
        modality=next(iter(codes(elements, "Modality")), ""),
        manufacturer=text(elements, "Manufacturer"),
        manufacturer_model_name=text(elements, "ManufacturerModelName"),
        convolution_kernel=text(elements, "ConvolutionKernel"),
        slice_thickness_mm=first_frame.slice_thickness_mm,
        kvp=number(elements, "KVP"),
        contrast_bolus_agent=text(elements, "ContrastBolusAgent"),
        body_part_examined=text(elements, "BodyPartExamined").upper(),
        patient_position=text(elements, "PatientPosition").upper(),
        image_type=codes(elements, "ImageType"),
        lossy=declared_lossy == ("01",) or transfer_syntax_uid in LOSSY_SYNTAXES,
    )


_YEARS_PER_UNIT = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


def _age_years(age: str) -> float | None:
    """An age string such as ``063Y`` in years (PS3.5, VR AS)."""
    if len(age) < 2 or not age[:-1].isdigit() or age[-1] not in _YEARS_PER_UNIT:
        return None
    return int(age[:-1]) * _YEARS_PER_UNIT[age[-1]]
