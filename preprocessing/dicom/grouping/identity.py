"""Groups instances by patient, study and series; mends identifiers that a converter spoilt."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hounsfield.preprocessing.dicom.grouping.spoilt_uids import (
    SERIES_UID,
    SpoiltSeries,
    spoilt_series,
    with_one_study,
)
from hounsfield.preprocessing.dicom.headers.patient import distinct_patients
from hounsfield.preprocessing.extent import MIN_SLICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.dicom.grouping.spoilt_uids import SeriesKey
    from hounsfield.preprocessing.dicom.headers.instance import Instance


@dataclass(frozen=True, slots=True)
class SeriesGroup:
    """The instances of one patient that claim to be one series, or that must be one.

    Attributes:
        members: The instances, their `facts` with a study and a series identifier.
        patient: Number of the patient among those of the study, from 0.
        spoilt_uid: The element whose values are missing or made anew for each file, so that the
            files were taken for one series by folder and geometry; empty for an ordinary series.
        notices: What a reader must know about the grouping.
        apart: The groups that the identifiers themselves make, for files that prove to be no one
            stack; empty where there are no identifiers.
    """

    members: tuple[Instance, ...]
    patient: int = 0
    spoilt_uid: str = ""
    notices: tuple[Notice, ...] = ()
    apart: tuple[SeriesGroup, ...] = ()

    @property
    def apart_are_series(self) -> bool:
        """Whether one of the groups in `apart` at least is more than single slices."""
        return any(len(group.members) >= MIN_SLICES for group in self.apart)


def group_by_identity(instances: Iterable[Instance]) -> list[SeriesGroup]:
    """Groups instances by who the patient is, and by study and series.

    Two patients under one StudyInstanceUID are two studies. Slices whose UIDs are missing, or are
    made anew for each file, form a series by patient, frame of reference (or folder) and geometry.

    Args:
        instances: Headers of all DICOM files, in any order.

    Returns:
        Every instance in one group, all members of which have a study and a series identifier.
    """
    in_order = sorted(instances, key=lambda instance: str(instance.source))
    mended, study_notices = with_one_study(in_order)
    by_series = _by_series(mended)
    spoilt = spoilt_series(by_series)
    taken = {id(instance) for group in spoilt for instance in group.members}
    person_of = {id(i): person for (person, *_), members in by_series.items() for i in members}
    groups = [_spoilt_group(group, person_of[id(group.members[0])]) for group in spoilt]
    for (person, *_), members in by_series.items():
        rest = [instance for instance in members if id(instance) not in taken]
        if rest:
            notices = study_notices.get((rest[0].facts.study_uid, rest[0].facts.series_uid), ())
            groups.append(replace(_ordinary_group(person, rest), notices=notices))
    return groups


def _by_series(instances: Iterable[Instance]) -> dict[SeriesKey, list[Instance]]:
    by_study: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        by_study[instance.facts.study_uid].append(instance)
    by_series: dict[SeriesKey, list[Instance]] = defaultdict(list)
    for study_uid, members in by_study.items():
        person_of = distinct_patients(instance.patient for instance in members)
        for instance in members:
            series_uid = instance.facts.series_uid
            # Files without the UID have nothing to do with those of another folder.
            folder = "" if series_uid else instance.source.folder
            by_series[person_of[instance.patient], study_uid, series_uid, folder].append(instance)
    return by_series


def _spoilt_group(spoilt: SpoiltSeries, person: int) -> SeriesGroup:
    """Gives the instances of a spoilt series identifiers: the one that is left, or its content."""
    members = spoilt.members
    digits = content_id(members)[:16]
    studies = {instance.facts.study_uid for instance in members}
    study_uid = next(iter(studies)) if len(studies) == 1 else ""
    series_uid = spoilt.series_uid or f"series-{digits}"
    apart = [_ordinary_group(person, part) for part in _by_series(members).values()]
    return SeriesGroup(
        _renamed(members, study_uid or f"study-{digits}", series_uid),
        person,
        spoilt_uid=SERIES_UID,
        notices=(spoilt.notice,),
        apart=tuple(apart) if spoilt.has_uids or spoilt.series_uid else (),
    )


def content_id(instances: Sequence[Instance]) -> str:
    """Returns hexadecimal digits that identify the images of a series, wherever they are.

    Patient, identifiers and positions count, and a few pixels of three instances: anonymisers
    write the same identifiers into the files of many patients.

    Args:
        instances: Headers of a series, in any order.
    """
    digest = hashlib.blake2b(digest_size=16)
    ordered = sorted(instances, key=_content_key)
    for instance in ordered:
        digest.update(repr(_content_key(instance)).encode())
    for instance in {
        id(i): i for i in (ordered[0], ordered[len(ordered) // 2], ordered[-1])
    }.values():
        digest.update(_sample(instance))
    return digest.hexdigest()


_SAMPLE_BYTES = 4096


def _content_key(instance: Instance) -> tuple[str, ...]:
    positions = "/".join(str(frame.position_mm) for frame in instance.frames)
    facts = instance.facts
    return (
        facts.study_uid, facts.series_uid, instance.sop_instance_uid, positions,
        str(instance.patient.sort_key), str(instance.instance_number),
    )  # fmt: skip


def _sample(instance: Instance) -> bytes:
    """Some bytes out of the middle of the stored pixels; none if they cannot be read."""
    layout = instance.pixels
    if layout is None:
        return b""
    if layout.fragments:
        fragments = layout.fragments[len(layout.fragments) // 2]
        start, length = fragments[0] if fragments else (layout.offset, 0)
    else:
        start, length = layout.offset, layout.length
    try:
        with instance.source.open_stream() as file:
            file.seek(start + length // 2)
            return file.read(min(_SAMPLE_BYTES, length))
    except Exception:  # noqa: BLE001 - reading the pixels will say why
        return b""


def _ordinary_group(person: int, members: list[Instance]) -> SeriesGroup:
    """The instances of a series; its content stands in for identifiers that are missing."""
    facts = members[0].facts
    if facts.study_uid and facts.series_uid:
        return SeriesGroup(tuple(members), person)
    series_uid = facts.series_uid or f"series-{content_id(members)[:16]}"
    return SeriesGroup(_renamed(members, facts.study_uid or series_uid, series_uid), person)


def _renamed(members: Iterable[Instance], study_uid: str, series_uid: str) -> tuple[Instance, ...]:
    return tuple(
        replace(i, facts=replace(i.facts, study_uid=study_uid, series_uid=series_uid))
        for i in members
    )
