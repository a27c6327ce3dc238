"""`Acquisition`: when and how one image plane was acquired and reconstructed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from hounsfield.preprocessing.dicom.headers.functional_groups import macros_of_frames
from hounsfield.preprocessing.dicom.headers.values import Elements, codes, integer, number, text

if TYPE_CHECKING:
    from collections.abc import Sequence

ACQUISITION_KEYWORDS = (
    "AcquisitionNumber", "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime",
    "ContentDate", "ContentTime", "TemporalPositionIdentifier", "TriggerTime",
    "NominalPercentageOfCardiacPhase", "NominalCardiacTriggerDelayTime",
    "NominalPercentageOfRespiratoryPhase", "ConvolutionKernel", "KVP", "SeriesDate", "SeriesTime",
    "ImageComments",
)  # fmt: skip
"""The elements of a classic instance that `read_acquisitions` needs."""

_FRAME_CONTENT = "FrameContentSequence"
_RECONSTRUCTION = "CTReconstructionSequence"
_X_RAY_DETAILS = "CTXRayDetailsSequence"
_CARDIAC = "CardiacSynchronizationSequence"
_RESPIRATORY = "RespiratorySynchronizationSequence"
_FRAME_TYPE = "CTImageFrameTypeSequence"
_MACROS = (_FRAME_CONTENT, _RECONSTRUCTION, _X_RAY_DETAILS, _CARDIAC, _RESPIRATORY, _FRAME_TYPE)
"""Where an enhanced multi-frame instance keeps them (PS3.3, C.7.6.16.2 and C.8.15.3)."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What must be one and the same in all planes of a volume; empty or None where unknown.

    Attributes:
        number: AcquisitionNumber (0020,0012), or FrameAcquisitionNumber (0020,9156).
        acquired_s: Start of the acquisition in seconds since a fixed day, from
            AcquisitionDateTime, or AcquisitionDate and AcquisitionTime.
        content_s: Time of reconstruction in seconds since the same day, from ContentDate and
            ContentTime.
        phase: Temporal position, or phase of the heart's or the lungs' cycle.
        stack_id: StackID (0020,9056) of a frame.
        kernel: Reconstruction kernel, ConvolutionKernel (0018,1210), as the maker calls it.
        kvp: Tube voltage in kV.
        frame_type: FrameType (0008,9007) of a frame of an enhanced instance.
        series_s: Start of the series in seconds, from SeriesDate and SeriesTime.
        comments: ImageComments (0020,4000), in which some scanners name the phase.
    """

    number: int | None = None
    acquired_s: float | None = None
    content_s: float | None = None
    phase: str = ""
    stack_id: str = ""
    kernel: str = ""
    kvp: float | None = None
    frame_type: tuple[str, ...] = ()
    series_s: float | None = None
    comments: str = ""


def read_acquisitions(elements: Elements, count: int) -> tuple[Acquisition, ...]:
    """Returns the acquisition of each frame of an instance.

    Args:
        elements: The instance's data set, with the elements of `ACQUISITION_KEYWORDS` and the
            functional groups.
        count: Number of frames; 1 for a classic instance.
    """
    macros = macros_of_frames(elements, count, _MACROS)
    return tuple(_acquisition(elements, own) for own in macros)


def seconds_of(dates: Sequence[str], times: Sequence[str]) -> float | None:
    """Returns date and time as seconds since 1 January of year 1.

    Args:
        dates: Values of VR DA, ``20240131``; the first that is a date counts, else day 0.
        times: Values of VR TM or DT, ``101530.25`` or ``20240131101530.25+0100``; the first that
            is a time counts.

    Returns:
        Seconds; None without a time. A time zone is left aside: within one series it is one.
    """
    for value in times:
        moment = value.split("+")[0].split("-")[0].replace(":", "").strip()
        whole, _, fraction = moment.partition(".")
        if not whole.isascii() or not whole.isdecimal():
            continue
        if len(whole) in {8, 10}:
            continue  # a date, or a date with an hour, is no moment
        day = _day(whole[:8]) if len(whole) >= 12 else None
        clock = whole[8:] if len(whole) >= 12 else whole
        if day is None:
            day = next((d for d in map(_day, dates) if d is not None), 0)
        hours, minutes, seconds = (int(clock[i : i + 2] or 0) for i in (0, 2, 4))
        part = float(f"0.{fraction}") if fraction.isascii() and fraction.isdecimal() else 0.0
        return day * 86400.0 + hours * 3600 + minutes * 60 + seconds + part
    return None


def _day(yyyymmdd: str) -> int | None:
    try:
        return date.fromisoformat(yyyymmdd.replace(".", "")).toordinal()
    except ValueError:
        return None


def _acquisition(top: Elements, macros: dict[str, Elements]) -> Acquisition:
    content = macros.get(_FRAME_CONTENT)
    cardiac, lungs = macros.get(_CARDIAC, top), macros.get(_RESPIRATORY, top)
    # The FD of the macros are binary; as text they only have to differ.
    phase = [
        text(top, "TemporalPositionIdentifier"),
        text(top, "TriggerTime"),
        cardiac.raw_bytes("NominalPercentageOfCardiacPhase").hex(),
        cardiac.raw_bytes("NominalCardiacTriggerDelayTime").hex(),
        lungs.raw_bytes("NominalPercentageOfRespiratoryPhase").hex(),
    ]
    # AcquisitionTime first: anonymisers fill AcquisitionDateTime with one dummy.
    times = [text(top, "AcquisitionTime"), text(top, "AcquisitionDateTime")]
    frame_number = None
    if content is not None:
        phase.append(content.raw_bytes("TemporalPositionIndex").hex())
        frame_number = _binary(content, "FrameAcquisitionNumber")
        times.insert(0, text(content, "FrameReferenceDateTime"))
        times.insert(0, text(content, "FrameAcquisitionDateTime"))
    return Acquisition(
        number=integer(top, "AcquisitionNumber") if frame_number is None else frame_number,
        acquired_s=seconds_of([text(top, "AcquisitionDate")], times),
        content_s=seconds_of([text(top, "ContentDate")], [text(top, "ContentTime")]),
        phase=" ".join(filter(None, phase)),
        stack_id="" if content is None else text(content, "StackID"),
        kernel=text(macros.get(_RECONSTRUCTION, top), "ConvolutionKernel"),
        kvp=number(macros.get(_X_RAY_DETAILS, top), "KVP"),
        frame_type=codes(macros[_FRAME_TYPE], "FrameType") if _FRAME_TYPE in macros else (),
        series_s=seconds_of([text(top, "SeriesDate")], [text(top, "SeriesTime")]),
        comments=text(top, "ImageComments"),
    )


def _binary(elements: Elements, keyword: str) -> int | None:
    value = elements.raw_bytes(keyword)
    little = elements.is_little_endian(keyword)
    return int.from_bytes(value, "little" if little else "big") if value else None
