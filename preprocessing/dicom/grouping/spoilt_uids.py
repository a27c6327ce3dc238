"""Finds slices whose StudyInstanceUID or SeriesInstanceUID a converter spoilt.

Such a UID is missing, or was made anew for each file or for a few.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.dicom.grouping.kinds import rejection_by_kind
from hounsfield.preprocessing.dicom.grouping.runs import are_numbered_through
from hounsfield.preprocessing.dicom.headers.patient import distinct_patients
from hounsfield.preprocessing.dicom.headers.plane import Plane
from hounsfield.preprocessing.extent import MIN_SLICES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from hounsfield.preprocessing.dicom.headers.instance import Instance

_MADE_ANEW = 2
"""Slices that share a SeriesInstanceUID which a converter made anew; three are a series."""

SERIES_UID = "SeriesInstanceUID (0020,000E)"

SeriesKey = tuple[int, str, str, str]
"""Patient, StudyInstanceUID, SeriesInstanceUID, and the folder where that is empty."""


@dataclass(frozen=True, slots=True)
class SpoiltSeries:
    """Slices that are one series by patient, frame of reference (or folder) and geometry.

    Attributes:
        members: The instances, with the identifiers of their files.
        series_uid: The identifier that most of them have; empty if there is none.
        has_uids: Whether each file has a SeriesInstanceUID.
        notice: What a reader must know about the grouping.
    """

    members: list[Instance]
    series_uid: str
    has_uids: bool
    notice: Notice


def with_one_study(
    instances: Sequence[Instance],
) -> tuple[list[Instance], dict[tuple[str, str], tuple[Notice, ...]]]:
    """Gives the instances of one series one StudyInstanceUID.

    A series belongs to one study. Several are mended only where series, patient, date and frame of
    reference are the same: anonymisers also write one SeriesInstanceUID into many studies.

    Args:
        instances: Headers of all DICOM files.

    Returns:
        The instances in their order, and a notice for each series that was mended, by
        its StudyInstanceUID now and its SeriesInstanceUID.
    """
    series: dict[Hashable, list[Instance]] = defaultdict(list)
    for instance in instances:
        facts, frame = instance.facts, instance.frame_of_reference_uid
        if facts.series_uid and frame:
            series[facts.series_uid, frame, facts.study_date].append(instance)
    study_of: dict[int, str] = {}
    notices: dict[tuple[str, str], tuple[Notice, ...]] = {}
    for members in series.values():
        counts = Counter(instance.facts.study_uid for instance in members)
        people = distinct_patients(instance.patient for instance in members)
        if len(counts) == 1 or len(set(people.values())) > 1:
            continue
        # Two patients whose other identifiers are constant overlap, or are numbered alike.
        planes = [Plane(i, frame) for i in members for frame in i.frames if frame.position_mm]
        study_uid, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
        if count > 1 and not are_numbered_through(planes):
            continue
        if count == 1:
            digest = hashlib.blake2b("".join(sorted(counts)).encode(), digest_size=8)
            study_uid = f"study-{digest.hexdigest()}"
        study_of |= {id(instance): study_uid for instance in members}
        message = (
            f"StudyInstanceUID (0020,000D) has {len(counts)} values in {len(members)} files of one "
            "series; they were taken for one study"
        )
        notice = Notice(NoticeCode.HEADER_CONFLICT, message, {"studies": len(counts)})
        notices[study_uid, members[0].facts.series_uid] = (notice,)
    mended = [
        replace(i, facts=replace(i.facts, study_uid=study_of[id(i)])) if id(i) in study_of else i
        for i in instances
    ]
    return mended, notices


def spoilt_series(by_series: Mapping[SeriesKey, Sequence[Instance]]) -> list[SpoiltSeries]:
    """Finds the series among slices without a usable SeriesInstanceUID.

    Args:
        by_series: Instances by patient, study and series as their headers state them.

    Returns:
        Groups of at least `MIN_SLICES` slices at different positions.
    """
    by_place: dict[Hashable, list[Instance]] = defaultdict(list)
    whole: dict[Hashable, list[Sequence[Instance]]] = defaultdict(list)
    for (_, _, series_uid, _), members in by_series.items():
        slices = [i for i in members if i.frames and rejection_by_kind(i) is None]
        if series_uid and sum(len(i.frames) for i in slices) > _MADE_ANEW:
            whole[_frame_and_place(slices[0])].append(slices)
            continue
        for instance in slices:
            by_place[_place(instance)].append(instance)
    groups = [group for slices in by_place.values() for group in _groups_of(slices)]
    return [_described(group, whole) for group in groups]


def _groups_of(slices: list[Instance]) -> list[list[Instance]]:
    """Slices of one geometry by study, patient, and frame of reference, or else folder."""
    groups: list[list[Instance]] = []
    for of_study in _by_meaningful(slices, lambda instance: instance.facts.study_uid):
        person_of = distinct_patients(instance.patient for instance in of_study)
        for person in sorted(set(person_of.values())):
            members = [i for i in of_study if person_of[i.patient] == person]
            for of_frame in _by_meaningful(members, lambda i: i.frame_of_reference_uid):
                frames = {instance.frame_of_reference_uid for instance in of_frame}
                is_known = len(frames) == 1 and "" not in frames
                groups += [of_frame] if is_known else _by_folder(of_frame)
    return [group for group in groups if _may_be_a_scan(group)]


def _by_folder(members: Sequence[Instance]) -> list[list[Instance]]:
    folders: dict[str, list[Instance]] = defaultdict(list)
    for instance in members:
        folders[instance.source.folder].append(instance)
    return list(folders.values())


def _may_be_a_scan(members: Sequence[Instance]) -> bool:
    """Whether there are enough slices at different positions; single images are no scan."""
    positions = {frame.position_mm for i in members for frame in i.frames} - {None}
    return len(positions) >= MIN_SLICES


def _described(
    members: list[Instance], whole: Mapping[Hashable, list[Sequence[Instance]]]
) -> SpoiltSeries:
    """The series, joined to the one whose geometry it shares if its own UIDs are missing."""
    has_uids = all(instance.facts.series_uid for instance in members)
    same = [
        slices
        for slices in whole.get(_frame_and_place(members[0]), [])
        if _are_one_patient([*slices, *members])
    ]
    series_uid = ""
    if not has_uids and members[0].frame_of_reference_uid and len(same) == 1:
        series_uid = same[0][0].facts.series_uid
        members = [*same[0], *members]
    unusable = sum(
        instance.facts.series_uid != series_uid or not series_uid for instance in members
    )
    how = "is another in each file or two" if has_uids else f"is missing in {unusable} files"
    message = (
        f"{SERIES_UID} {how}; {len(members)} files were taken for one series because patient, "
        "frame of reference and geometry agree"
    )
    notice = Notice(NoticeCode.HEADER_CONFLICT, message, {"slices": len(members)})
    return SpoiltSeries(members, series_uid, has_uids, notice)


def _are_one_patient(instances: Sequence[Instance]) -> bool:
    return len(set(distinct_patients(i.patient for i in instances).values())) == 1


def _place(instance: Instance) -> Hashable:
    """What the slices of one series have in common where its UID is of no use."""
    frame, facts, pixels = instance.frames[0], instance.facts, instance.pixels
    directions = (frame.row_direction or ()) + (frame.column_direction or ())
    return (
        facts.series_number,
        facts.series_description,
        instance.acquisition_of(frame).kernel,
        (pixels.rows, pixels.columns) if pixels else None,
        tuple(round(value, 2) for value in directions),
        tuple(round(value, 3) for value in frame.pixel_spacing_mm or ()),
    )


def _frame_and_place(instance: Instance) -> Hashable:
    return instance.facts.study_uid, instance.frame_of_reference_uid, _place(instance)


def _by_meaningful(
    members: list[Instance], uid_of: Callable[[Instance], str]
) -> list[list[Instance]]:
    """Groups by an identifier, unless it is another in each file and so means nothing."""
    groups: dict[str, list[Instance]] = defaultdict(list)
    for instance in members:
        groups[uid_of(instance)].append(instance)
    return [members] if len(groups) == len(members) else list(groups.values())
