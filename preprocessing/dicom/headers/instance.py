"""`Instance`: the header of one SOP instance, read without its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import MediaStorageDirectoryStorage

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.acquisition import (
    ACQUISITION_KEYWORDS,
    Acquisition,
    read_acquisitions,
)
from hounsfield.preprocessing.dicom.headers.dataset import ParsedHeader, parse_header
from hounsfield.preprocessing.dicom.headers.frames import FRAME_KEYWORDS, read_frames
from hounsfield.preprocessing.dicom.headers.patient import PATIENT_KEYWORDS, Patient, read_patient
from hounsfield.preprocessing.dicom.headers.pixel_layout import PixelLayout, locate_pixels
from hounsfield.preprocessing.dicom.headers.transfer_syntaxes import LOSSY_SYNTAXES
from hounsfield.preprocessing.dicom.headers.values import (
    Elements,
    codes,
    integer,
    number,
    tag_of,
    text,
    uid,
    unsigned_short,
)
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error
from hounsfield.preprocessing.volume import SeriesFacts

if TYPE_CHECKING:
    from typing import BinaryIO

    from hounsfield.preprocessing.files.sources import ByteSource
    from hounsfield.preprocessing.geometry.frame import Frame

_TAGS = [
    tag_of(keyword)
    for keyword in (
        *FRAME_KEYWORDS, *ACQUISITION_KEYWORDS, *PATIENT_KEYWORDS,
        "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate",
        "Modality", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber",
        "StudyDescription", "SeriesDescription", "PatientSex", "PatientAge",
        "ContrastBolusAgent", "BodyPartExamined", "SpacingBetweenSlices", "PatientPosition",
        "ReconstructionDiameter", "SliceLocation",
        "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber",
        "InstanceNumber", "ModalityLUTSequence", "SamplesPerPixel", "PhotometricInterpretation",
        "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
        "LossyImageCompression",
    )
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance, from its header alone.

    Attributes:
        source: The file that holds the instance.
        facts: What reports and decisions need of the series, as this instance states it.
        frames: One plane for a classic instance, all planes for a multi-frame one; empty if
            there are no pixels.
        pixels: How the pixels are stored; None if there are none.
        patient: Who the patient is, as hashes.
        acquisitions: How each frame was acquired, those that `frames` leaves out included.
        device_serial_number: Tells scanners of one model apart, (0018,1000); empty if unknown.
        has_modality_lut: Whether a table, not a rescale, leads to HU (0028,3000).
        damage: Why the pixels cannot be read although the header can; None if they may be.
    """

    source: ByteSource
    facts: SeriesFacts
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    frame_of_reference_uid: str
    instance_number: int | None
    spacing_between_slices_mm: float | None
    reconstruction_diameter_mm: float | None
    slice_location_mm: float | None
    frames: tuple[Frame, ...]
    pixels: PixelLayout | None
    patient: Patient
    acquisitions: tuple[Acquisition, ...]
    device_serial_number: str
    has_modality_lut: bool
    damage: SeriesError | None = None

    def acquisition_of(self, frame: Frame) -> Acquisition:
        """How one of the instance's frames was acquired."""
        place = frame.number - 1
        return self.acquisitions[place] if place < len(self.acquisitions) else Acquisition()


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
    with as_series_error(str(source)), source.open_stream() as file:
        size = file.seek(0, 2)
        file.seek(0)
        header = parse_header(file, size, _TAGS)
        return _instance(source, header, file, size)


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
    pixels, damage = locate_pixels(source, header, file, size, frame_count)
    # A frame count counts only if as many pixels are there.
    frames = read_frames(elements, frame_count if pixels and damage is None else 1)
    return Instance(
        source=source,
        facts=_facts(elements, header.transfer_syntax_uid, frames[0]),
        sop_class_uid=sop_class,
        sop_instance_uid=uid(elements, "SOPInstanceUID"),
        transfer_syntax_uid=header.transfer_syntax_uid,
        frame_of_reference_uid=uid(elements, "FrameOfReferenceUID"),
        instance_number=integer(elements, "InstanceNumber"),
        spacing_between_slices_mm=number(elements, "SpacingBetweenSlices"),
        reconstruction_diameter_mm=number(elements, "ReconstructionDiameter"),
        slice_location_mm=number(elements, "SliceLocation"),
        frames=frames if pixels else (),
        pixels=pixels,
        damage=damage,
        patient=read_patient(elements),
        acquisitions=read_acquisitions(elements, len(frames)),
        device_serial_number=text(elements, "DeviceSerialNumber"),
        has_modality_lut=bool(elements.items("ModalityLUTSequence")),
    )


def _facts(elements: Elements, transfer_syntax_uid: str, first_frame: Frame) -> SeriesFacts:
    declared_lossy = codes(elements, "LossyImageCompression")[:1]
    return SeriesFacts(
        study_uid=uid(elements, "StudyInstanceUID"),
        series_uid=uid(elements, "SeriesInstanceUID"),
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
    if (
        len(age) < 2
        or not (age.isascii() and age[:-1].isdecimal())
        or age[-1] not in _YEARS_PER_UNIT
    ):
        return None
    return int(age[:-1]) * _YEARS_PER_UNIT[age[-1]]
