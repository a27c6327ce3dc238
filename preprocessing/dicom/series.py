"""Groups instances into series that could become volumes, each judged by its headers alone."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.acquisitions import (
    Acquisitions,
    Plane,
    depth_mm,
    group_by_shape,
    same_shape,
    split_acquisitions,
)
from hounsfield.preprocessing.dicom.kinds import rejection_by_kind
from hounsfield.preprocessing.dicom.notices import duplicates_notice, geometry_notices, lossy_notice
from hounsfield.preprocessing.dicom.volume import spacing_hint_mm, too_many_unreadable
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import MIN_SLICES, size_rejection, stack_rejection
from hounsfield.preprocessing.geometry.slice_geometry import (
    MAX_MISSING_SLICES,
    SAME_POSITION_MM,
    StackGeometry,
    fit_stack,
    orientation_name,
)
from hounsfield.preprocessing.geometry.stacking import finished_shape
from hounsfield.preprocessing.series import Series, SeriesFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.preprocessing.dicom.header import Instance
    from hounsfield.preprocessing.files.sources import ByteSource
    from hounsfield.preprocessing.volume import SeriesFacts


def group_instances(instances: Sequence[Instance]) -> list[Series]:
    """Groups instances into series and judges each.

    Instances of one SeriesInstanceUID are split where they cannot be one volume: different
    kinds, sizes, orientations, or different images at one position. The largest part keeps the
    UID; the others have ``#2``, ``#3`` and so on appended in `SeriesFacts.series_uid`. Damaged
    instances stay with the series in which they leave a hole, otherwise they form a part of their
    own.

    Pixels are read only to distinguish copies from different images at one position.

    Args:
        instances: Headers of all DICOM files, of any number of studies, in any order.

    Returns:
        Every instance in one series, those that cannot be analysed with their rejection.
    """
    by_uid: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for instance in instances:
        by_uid[instance.facts.study_uid, instance.facts.series_uid].append(instance)
    series: list[Series] = []
    for members in by_uid.values():
        parts = _parts(sorted(members, key=lambda instance: str(instance.source)))
        for number, part in enumerate(parts, start=1):
            uid = part.facts.series_uid if number == 1 else f"{part.facts.series_uid}#{number}"
            series.append(replace(part, facts=replace(part.facts, series_uid=uid)))
    return series


def _parts(members: Sequence[Instance]) -> list[Series]:
    """The series of one SeriesInstanceUID, volumes first."""
    slices: list[Instance] = []
    damaged: list[Instance] = []
    others: dict[Reason, list[tuple[Instance, SeriesError]]] = defaultdict(list)
    for instance in members:
        rejection = rejection_by_kind(instance)
        if instance.damage is not None and (rejection is None or _is_less_specific(rejection)):
            damaged.append(instance)
        elif rejection is None:
            slices.append(instance)
        else:
            others[rejection.reason].append((instance, rejection))
    volumes, orphans = _volumes(slices, damaged)
    parts = [*volumes]
    for rejected in others.values():
        first = rejected[0][1]
        error = _for_all(first, len(rejected))
        parts.append(_rejected([instance for instance, _ in rejected], error))
    parts += [_rejected([instance], instance.damage) for instance in orphans]
    return parts


def _is_less_specific(rejection: SeriesError) -> bool:
    """Whether damage explains more than the kind of image that the file would be."""
    return rejection.reason in {Reason.NOT_CT, Reason.SECONDARY_CAPTURE, Reason.NOT_AN_IMAGE}


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
    placed = [plane for plane in planes if plane.frame.position_mm is not None]
    orphans = list(damaged)
    series: list[Series] = []
    for group in group_by_shape(placed):
        try:
            acquisitions = split_acquisitions(group)
        except SeriesError as error:
            series.append(_rejected(_instances_of(group), error))
            continue
        orphans += _instances_of(acquisitions.damaged)
        for number, stack in enumerate(acquisitions.stacks):
            unreadable = _damaged_in(stack, orphans)
            orphans = [instance for instance in orphans if instance not in unreadable]
            series.append(_stack_series(stack, unreadable, acquisitions, is_first=number == 0))
    if unplaced:
        instances = _instances_of(unplaced)
        series.append(_rejected(instances, _no_position(instances)))
    series.sort(key=lambda part: -len(part.instances))
    return series, orphans


def _no_position(instances: Sequence[Instance]) -> SeriesError:
    path = str(instances[0].source)
    msg = "The file has no ImagePositionPatient (0020,0032)"
    if len(instances) < MIN_SLICES:
        msg = f"{msg}, and {len(instances)} slice(s) are no chest scan"
        return SeriesError(Reason.TOO_FEW_SLICES, msg, path=path)
    return SeriesError(Reason.NO_POSITION, msg, path=path)


def _damaged_in(stack: Sequence[Plane], damaged: Sequence[Instance]) -> list[Instance]:
    """Damaged instances that would fill a hole in a stack or lengthen it."""
    if not damaged:
        return []
    depths = [depth_mm(plane, stack[0]) for plane in stack]
    belonging = []
    for instance in damaged:
        for frame in instance.frames:
            plane = Plane(instance, frame)
            if frame.position_mm is None or not same_shape(plane, stack[0]):
                continue
            depth = depth_mm(plane, stack[0])
            if all(abs(depth - other) >= SAME_POSITION_MM for other in depths):
                belonging.append(instance)
                break
    return belonging


def _stack_series(
    stack: Sequence[Plane],
    unreadable: Sequence[Instance],
    acquisitions: Acquisitions,
    *,
    is_first: bool,
) -> Series:
    """The series of one stack of planes, with its rejection and notices."""
    if acquisitions.depths == 1 and len(stack) > 1:
        return _rejected(_instances_of(stack), _one_place(stack))
    try:
        geometry = fit_stack([plane.frame for plane in stack], spacing_hint_mm(stack[0]))
    except SeriesError as error:
        instances = [*_instances_of(stack), *unreadable]
        reason = error.reason
        if unreadable and reason is Reason.MISSING_SLICES:
            error = too_many_unreadable([i.damage for i in unreadable if i.damage], len(instances))
        copies = duplicates_notice(acquisitions.dropped if is_first else [])
        return replace(_rejected(instances, error), notices=copies)
    ordered = [stack[index] for index in geometry.order]
    layout = stack[0].instance.pixels
    damages = [instance.damage for instance in unreadable if instance.damage is not None]
    rejection = _too_large(geometry, stack[0])
    if len(damages) > MAX_MISSING_SLICES:
        rejection = too_many_unreadable(damages, len(stack) + len(damages))
    too_short = stack_rejection(geometry.slices, geometry.spacing_mm)
    return replace(
        _rejected([*_instances_of(ordered), *unreadable], rejection or too_short),
        shape_zyx=finished_shape(geometry, layout.rows, layout.columns) if layout else None,
        spacing_mm=_spacing_xyz(geometry),
        orientation=orientation_name(geometry.normal),
        readable=rejection is None,
        notices=(
            *duplicates_notice(acquisitions.dropped if is_first else []),
            *lossy_notice(stack),
            *geometry_notices(ordered, geometry, damages),
        ),
    )


def _spacing_xyz(geometry: StackGeometry) -> tuple[float, float, float]:
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    return (column_spacing, row_spacing, geometry.spacing_mm)


def _one_place(stack: Sequence[Plane]) -> SeriesError:
    msg = (
        f"{len(stack)} different images have the same position {stack[0].frame.position_mm}: a "
        "time series or versions of one slice, not a volume"
    )
    return SeriesError(Reason.DUPLICATE_SERIES, msg)


def _too_large(geometry: StackGeometry, plane: Plane) -> SeriesError | None:
    """Refuses a header with an impossible size, before anything is allocated for it."""
    layout = plane.instance.pixels
    if layout is None:
        return None
    shape_zyx = finished_shape(geometry, layout.rows, layout.columns)
    return size_rejection(shape_zyx, str(plane.instance.source))


def _rejected(instances: Sequence[Instance], rejection: SeriesError | None) -> Series:
    """A series that cannot be read, or whose geometry is not known yet."""
    return Series(
        path=_common_path([instance.source for instance in instances]),
        format=SeriesFormat.DICOM,
        sources=tuple(instance.source for instance in instances),
        facts=_facts(instances),
        instances=tuple(instances),
        rejection=rejection,
        readable=False,
    )


def _instances_of(planes: Iterable[Plane]) -> list[Instance]:
    """The instances of some planes in their order, each with those of its frames among them."""
    frames: dict[int, list[Plane]] = {}
    for plane in planes:
        frames.setdefault(id(plane.instance), []).append(plane)
    return [
        members[0].instance
        if len(members) == len(members[0].instance.frames)
        else replace(members[0].instance, frames=tuple(member.frame for member in members))
        for members in frames.values()
    ]


def _facts(instances: Sequence[Instance]) -> SeriesFacts:
    """The facts of the first instance; lossy if any instance is."""
    return replace(instances[0].facts, lossy=any(instance.facts.lossy for instance in instances))


def _common_path(sources: Sequence[ByteSource]) -> Path:
    """The file or archive, or the deepest folder that holds all of them."""
    paths = {source.path for source in sources}
    if len(paths) == 1:
        return paths.pop()
    return Path(os.path.commonpath([path.parent for path in paths]))
