"""Groups instances into series that could become volumes, each judged by its headers alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.grouping.acquisitions import split_acquisitions
from hounsfield.preprocessing.dicom.grouping.identity import (
    SeriesGroup,
    content_id,
    group_by_identity,
)
from hounsfield.preprocessing.dicom.grouping.kinds import rejection_by_kind
from hounsfield.preprocessing.dicom.grouping.left_out import with_left_out_parts
from hounsfield.preprocessing.dicom.grouping.rejected import rejected_series
from hounsfield.preprocessing.dicom.grouping.shapes import group_by_shape
from hounsfield.preprocessing.dicom.grouping.stack_series import (
    belonging_damage,
    instances_of,
    stack_series,
)
from hounsfield.preprocessing.dicom.headers.instance import Instance
from hounsfield.preprocessing.dicom.headers.plane import Plane
from hounsfield.preprocessing.dicom.pixels.hu_scale import hu_fault
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import MIN_SLICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.preprocessing.series import Series


def group_instances(instances: Sequence[Instance]) -> list[Series]:
    """Groups instances into series and judges each.

    Instances of one patient and SeriesInstanceUID are split where they cannot be one volume:
    different kinds, sizes, orientations, frames of reference, acquisitions, phases or kernels, or
    different images at one position. The largest part keeps the UID; the others have ``#2``,
    ``#3`` and so on appended in `SeriesFacts.series_uid`. Damaged instances stay with the series
    in which they leave a hole, otherwise they form a part of their own.

    Pixels are read to distinguish copies from different images at one position, and a few of three
    instances for each series' `content_id`.

    Args:
        instances: Headers of all DICOM files, of any number of studies, in any order.

    Returns:
        Every instance in one series, those that cannot be analysed with their rejection.
    """
    return [series for group in group_by_identity(instances) for series in _series_of(group)]


def _series_of(group: SeriesGroup) -> list[Series]:
    """The parts of one group, numbered; volumes first, and each with its notices."""
    parts = _parts(group.members)
    if group.spoilt_uid and len(parts) > 1 and group.apart_are_series:
        return [series for own in group.apart for series in _series_of(own)]
    if group.spoilt_uid:
        parts = [_only_stack(group, parts)]
    numbered = []
    for number, part in enumerate(with_left_out_parts(parts), start=1):
        uid = part.facts.series_uid if number == 1 else f"{part.facts.series_uid}#{number}"
        facts = replace(part.facts, series_uid=uid)
        identifier = content_id([i for i in part.instances if isinstance(i, Instance)])
        named = replace(part, facts=facts, patient=group.patient, content_id=identifier)
        numbered.append(named.with_grouping_notices(*(group.notices if part.readable else ())))
    return numbered


def _only_stack(group: SeriesGroup, parts: list[Series]) -> Series:
    """The one stack of a series without a usable UID, or one rejection that names the tag."""
    if len(parts) == 1:
        return parts[0]
    msg = (
        f"{group.spoilt_uid} does not show which of {len(group.members)} files are one series, "
        f"and by their headers and positions they are {len(parts)}; restore the "
        "identifiers"
    )
    return rejected_series(group.members, SeriesError(Reason.INCONSISTENT_GEOMETRY, msg))


def _parts(members: Sequence[Instance]) -> list[Series]:
    """The series of one SeriesInstanceUID, volumes first."""
    slices: list[Instance] = []
    damaged: list[Instance] = []
    others: dict[Reason, list[tuple[Instance, SeriesError]]] = defaultdict(list)
    for instance in members:
        rejection = rejection_by_kind(instance)
        if instance.damage is not None and _explains_more(instance.damage, rejection):
            damaged.append(instance)
        elif rejection is None:
            slices.append(instance)
        else:
            others[rejection.reason].append((instance, rejection))
    volumes, orphans = _volumes(slices, damaged)
    parts = [*volumes]
    for rejected in others.values():
        error = _for_all(rejected[0][1], len(rejected))
        parts.append(rejected_series([instance for instance, _ in rejected], error))
    by_damage: dict[str, list[Instance]] = defaultdict(list)
    for instance in orphans:
        by_damage[instance.damage.message if instance.damage else ""].append(instance)
    for same in by_damage.values():
        damage = same[0].damage
        parts.append(rejected_series(same, damage and _for_all(damage, len(same))))
    return parts


def _explains_more(damage: SeriesError, rejection: SeriesError | None) -> bool:
    """Whether damage explains more than the kind of image that the file would be."""
    unspecific = {Reason.NOT_CT, Reason.SECONDARY_CAPTURE, Reason.NOT_AN_IMAGE}
    if rejection is None:
        return True
    return damage.reason is Reason.TRUNCATED and rejection.reason in unspecific


def _for_all(first: SeriesError, count: int) -> SeriesError:
    if count == 1:
        return first
    msg = f"{first.message} (and {count - 1} more like it)"
    return SeriesError(first.reason, msg, path=first.path)


def _volumes(
    slices: Sequence[Instance], damaged: Sequence[Instance]
) -> tuple[list[Series], list[Instance]]:
    """Stacks of CT slices, and damaged instances that belong to none of them."""
    planes = [Plane(instance, frame) for instance in slices for frame in instance.frames]
    unplaced = [plane for plane in planes if plane.frame.position_mm is None]
    orphans = list(damaged)
    series: list[Series] = []
    for group in group_by_shape([p for p in planes if p.frame.position_mm is not None]):
        known, unknown = _by_hu(group)
        if not known:
            series.append(rejected_series(instances_of(unknown), hu_fault(unknown[0])))
            continue
        orphans += _without_hu(unknown)
        acquisitions = split_acquisitions(known)
        orphans += instances_of(acquisitions.damaged)
        for stack in acquisitions.stacks:
            if stack.rejection is not None:
                series.append(rejected_series(instances_of(stack.planes), stack.rejection))
                continue
            unreadable = belonging_damage(stack.planes, orphans)
            orphans = [instance for instance in orphans if instance not in unreadable]
            series.append(stack_series(stack, unreadable))
    if unplaced:
        instances = instances_of(unplaced)
        series.append(rejected_series(instances, _no_position(instances)))
    series.sort(key=lambda part: -len(part.instances))
    return series, orphans


def _by_hu(planes: Sequence[Plane]) -> tuple[list[Plane], list[Plane]]:
    """Planes whose header leads to HU, and those whose header does not."""
    known: list[Plane] = []
    unknown: list[Plane] = []
    for plane in planes:
        (unknown if hu_fault(plane) else known).append(plane)
    return known, unknown


def _without_hu(planes: Sequence[Plane]) -> list[Instance]:
    """The instances of planes without HU among others that have them, as damaged ones."""
    faults = {id(plane.instance): hu_fault(plane) for plane in planes}
    instances = {id(plane.instance): plane.instance for plane in planes}
    return [replace(instance, damage=faults[key]) for key, instance in instances.items()]


def _no_position(instances: Sequence[Instance]) -> SeriesError:
    path = str(instances[0].source)
    texts = [i.frames[0].text_of_unreadable("ImagePositionPatient") for i in instances if i.frames]
    unreadable = next(filter(None, texts), "")
    msg = "The file has no ImagePositionPatient (0020,0032)"
    if unreadable:
        msg = f"ImagePositionPatient (0020,0032) cannot be read: {unreadable!r}"
    if len(instances) < MIN_SLICES:
        msg = f"{msg}, and {len(instances)} slice(s) are no chest scan"
        return SeriesError(Reason.TOO_FEW_SLICES, msg, path=path)
    return SeriesError(Reason.NO_POSITION, msg, path=path)
