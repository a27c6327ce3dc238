"""Splits planes so that a volume holds one frame of reference, acquisition, phase and kernel.

Position alone never puts two planes into one volume: a second breath-hold whose slices lie between
those of the first would pass for a finer stack.
"""

from __future__ import annotations

from collections import defaultdict
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hounsfield.preprocessing.dicom.grouping.numbering import split_by_numbering
from hounsfield.preprocessing.dicom.grouping.runs import are_numbered_through
from hounsfield.preprocessing.dicom.grouping.scan_times import split_by_time
from hounsfield.preprocessing.dicom.grouping.steps import is_step_and_shoot, ranges_overlap
from hounsfield.preprocessing.dicom.headers.patient import distinct_patients
from hounsfield.preprocessing.dicom.headers.plane import Plane, depths_mm
from hounsfield.preprocessing.extent import MIN_SLICES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from numpy.typing import NDArray


class _Rule(Enum):
    """When planes that differ in a value are separated."""

    ALWAYS = auto()
    SHOTS = auto()
    """Always, unless they are shots of one scan between which the table moved."""
    SCANS = auto()
    """Where two values have as many planes as a scan needs: fewer are a slip of some writer."""
    OVERLAPPING = auto()
    """The same, and the scans cover the same part of the patient: a value may change midway."""


class _Property(NamedTuple):
    name: str
    value_of: Callable[[Plane], Hashable]
    rule: _Rule


_PROPERTIES = (
    _Property(
        "FrameOfReferenceUID (0020,0052)",
        lambda plane: plane.instance.frame_of_reference_uid,
        _Rule.ALWAYS,
    ),
    _Property("StackID (0020,9056)", lambda plane: plane.acquisition.stack_id, _Rule.ALWAYS),
    _Property("phase (0020,0100)", lambda plane: plane.acquisition.phase, _Rule.SHOTS),
    _Property("FrameType (0008,9007)", lambda plane: plane.acquisition.frame_type, _Rule.ALWAYS),
    _Property(
        "PatientPosition (0018,5100)",
        lambda plane: plane.instance.facts.patient_position,
        _Rule.ALWAYS,
    ),
    _Property(
        "ConvolutionKernel (0018,1210)",
        lambda plane: plane.acquisition.kernel.casefold(),
        _Rule.ALWAYS,
    ),
    _Property("KVP (0018,0060)", lambda plane: plane.acquisition.kvp, _Rule.ALWAYS),
    _Property(
        "Manufacturer (0008,0070)", lambda plane: plane.instance.facts.manufacturer, _Rule.SCANS
    ),
    _Property(
        "ManufacturerModelName (0008,1090)",
        lambda plane: plane.instance.facts.manufacturer_model_name,
        _Rule.SCANS,
    ),
    _Property(
        "DeviceSerialNumber (0018,1000)",
        lambda plane: plane.instance.device_serial_number,
        _Rule.SCANS,
    ),
    _Property(
        "RescaleSlope and RescaleIntercept (0028,1052)",
        lambda plane: (plane.frame.rescale_slope, plane.frame.rescale_intercept),
        _Rule.SCANS,
    ),
    _Property(
        "ImageType (0008,0008)",
        lambda plane: plane.instance.facts.image_type[:3],
        _Rule.OVERLAPPING,
    ),
    _Property(
        "ContrastBolusAgent (0018,0010)",
        lambda plane: plane.instance.facts.contrast_bolus_agent,
        _Rule.OVERLAPPING,
    ),
    _Property(
        "SeriesDescription (0008,103E)",
        lambda plane: plane.instance.facts.series_description,
        _Rule.OVERLAPPING,
    ),
    _Property(
        "SeriesNumber (0020,0011)",
        lambda plane: plane.instance.facts.series_number,
        _Rule.OVERLAPPING,
    ),
    _Property(
        "StudyDate (0008,0020)", lambda plane: plane.instance.facts.study_date, _Rule.OVERLAPPING
    ),
    _Property(
        "SeriesTime (0008,0031)", lambda plane: plane.acquisition.series_s, _Rule.OVERLAPPING
    ),
    _Property(
        "ImageComments (0020,4000)", lambda plane: plane.acquisition.comments, _Rule.OVERLAPPING
    ),
    _Property(
        "SliceThickness (0018,0050)",
        lambda plane: round(plane.frame.slice_thickness_mm or 0.0, 2) or None,
        _Rule.OVERLAPPING,
    ),
)


_MADE_ANEW = 4
"""Planes that may share a value which a converter made anew for each file or for a few."""


def split_incoherent(planes: Sequence[Plane]) -> list[list[Plane]]:
    """Separates planes that one volume must not hold together.

    Args:
        planes: Planes of one shape, each with a position; copies may be among them.

    Returns:
        Groups of one patient, frame of reference, acquisition, time, phase, kernel, tube voltage
        and rescale, the largest first.
    """
    groups = _by_patient(planes)
    for prop in _PROPERTIES:
        groups = [part for group in groups for part in _split_by(group, prop)]
    for split in (_split_by_acquisition_number, split_by_time, split_by_numbering):
        groups = [part for group in groups for part in split(group)]
    return sorted(groups, key=lambda group: (-len(group), min(p.instance.source for p in group)))


def difference(planes: Sequence[Plane], other: Sequence[Plane]) -> str:
    """Returns by which header values two groups of planes differ, for a sentence.

    Args:
        planes: The planes of one stack, of which the first is compared.
        other: The planes of another stack of the same series.
    """
    a, b = planes[0], other[0]
    words = [prop.name for prop in _PROPERTIES if prop.value_of(a) != prop.value_of(b)]
    if a.acquisition.number != b.acquisition.number:
        words.append("AcquisitionNumber (0020,0012)")
    shapes = [
        (p.instance.pixels.rows, p.instance.pixels.columns) for p in (a, b) if p.instance.pixels
    ]
    if len(set(shapes)) > 1:
        words.append("Rows and Columns")
    if a.frame.pixel_spacing_mm != b.frame.pixel_spacing_mm:
        words.append("PixelSpacing (0028,0030)")
    if a.frame.row_direction != b.frame.row_direction:
        words.append("ImageOrientationPatient (0020,0037)")
    if not words and a.acquisition.acquired_s != b.acquisition.acquired_s:
        words.append("AcquisitionTime (0008,0032)")
    elif not words and a.acquisition.content_s != b.acquisition.content_s:
        words.append("ContentTime (0008,0033)")
    return ", ".join(words) or "position and content"


def _by_patient(planes: Sequence[Plane]) -> list[list[Plane]]:
    """A second look: identifiers group by patient already."""
    person_of = distinct_patients(plane.instance.patient for plane in planes)
    people: dict[int, list[Plane]] = defaultdict(list)
    for plane in planes:
        people[person_of[plane.instance.patient]].append(plane)
    return list(people.values())


def _split_by(planes: list[Plane], prop: _Property) -> list[list[Plane]]:
    groups = _grouped(planes, prop.value_of)
    # A value that is another for every few planes counts slices, or was made anew for each file.
    is_spoilt = len(groups) > 2 and max(map(len, groups.values())) <= _MADE_ANEW
    if len(groups) == 1 or is_spoilt:
        return [planes]
    if prop.rule is _Rule.SHOTS and _are_shots(planes[0], list(groups.values())):
        return [planes]
    if prop.rule in {_Rule.ALWAYS, _Rule.SHOTS}:
        return list(groups.values())
    scans = [group for group in groups.values() if len(group) >= MIN_SLICES]
    if len(scans) < 2:
        return [planes]
    if prop.rule is _Rule.OVERLAPPING and not _overlap(planes[0], scans):
        return [planes]
    return list(groups.values())


def _split_by_acquisition_number(planes: list[Plane]) -> list[list[Plane]]:
    groups = _grouped(planes, lambda plane: plane.acquisition.number)
    if len(groups) == 1:
        return [planes]
    in_order = sorted(groups.items(), key=lambda item: item[0] if isinstance(item[0], int) else -1)
    if is_step_and_shoot([_depths(planes[0], group) for _, group in in_order]):
        return [planes]
    return list(groups.values())


def _are_shots(like: Plane, groups: Sequence[Sequence[Plane]]) -> bool:
    """Whether groups follow one another along the table as the shots of one scan do."""
    return is_step_and_shoot(sorted((_depths(like, group) for group in groups), key=min))


def _grouped(
    planes: Iterable[Plane], value_of: Callable[[Plane], Hashable]
) -> dict[Hashable, list[Plane]]:
    """Planes by value; those without one belong to the others where they are few, or lie between.

    A second scan between the slices of the first has numbers of its own; slices of one scan are
    numbered through, whether a writer left a value out or not.
    """
    groups: dict[Hashable, list[Plane]] = defaultdict(list)
    for plane in planes:
        groups[value_of(plane)].append(plane)
    for blank in ("", None):
        unknown = groups.get(blank)
        if unknown is None or len(groups) == 1:
            continue
        largest = max((g for value, g in groups.items() if value != blank), key=len)
        lone = len(groups) == 2 and are_numbered_through([*largest, *unknown])
        if len(unknown) < MIN_SLICES or lone:
            del groups[blank]
            largest.extend(unknown)
    return groups


def _depths(like: Plane, planes: Sequence[Plane]) -> NDArray[np.float64]:
    return np.sort(depths_mm(planes, like))


def _overlap(like: Plane, groups: Sequence[Sequence[Plane]]) -> bool:
    """Whether any two groups cover the same part of the patient."""
    depths = [_depths(like, group) for group in groups]
    return any(
        ranges_overlap(depths[i], depths[j])
        for i in range(len(depths))
        for j in range(i + 1, len(depths))
    )
