"""Makes a `Series` of one stack of planes: its geometry, its rejection and its notices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.grouping.rejected import rejected_series
from hounsfield.preprocessing.dicom.grouping.shapes import same_shape
from hounsfield.preprocessing.dicom.headers.plane import Plane, depths_mm
from hounsfield.preprocessing.dicom.notices import duplicates_notice, geometry_notices, lossy_notice
from hounsfield.preprocessing.dicom.volume import spacing_hint_mm, too_many_unreadable
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import position_rejection, size_rejection, stack_rejection
from hounsfield.preprocessing.geometry.depth_grid import SAME_POSITION_MM, max_missing
from hounsfield.preprocessing.geometry.slice_geometry import (
    StackGeometry,
    fit_stack,
    orientation_name,
)
from hounsfield.preprocessing.geometry.stacking import finished_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.preprocessing.dicom.grouping.acquisitions import Stack
    from hounsfield.preprocessing.dicom.headers.instance import Instance
    from hounsfield.preprocessing.series import Series


def stack_series(stack: Stack, unreadable: Sequence[Instance]) -> Series:
    """Returns the series of one stack of planes, with its rejection and notices.

    Args:
        stack: Planes of one shape and acquisition, with one plane at each position.
        unreadable: Damaged instances that fill holes of the stack or lengthen it.
    """
    planes = stack.planes
    damages = [instance.damage for instance in unreadable if instance.damage is not None]
    copies = duplicates_notice(stack.dropped)
    try:
        geometry = fit_stack([plane.frame for plane in planes], spacing_hint_mm(planes[0]))
    except SeriesError as error:
        instances = [*instances_of(planes), *unreadable]
        if damages and error.reason is Reason.MISSING_SLICES:
            error = too_many_unreadable(damages, len(instances))
        return rejected_series(instances, error).with_grouping_notices(*copies)
    ordered = [planes[index] for index in geometry.order]
    layout = planes[0].instance.pixels
    box = _box(ordered, geometry)
    rejection = _too_large(geometry, planes[0]) or (box and position_rejection(box))
    if len(damages) > max_missing(len(planes) + len(damages)):
        rejection = too_many_unreadable(damages, len(planes) + len(damages))
    too_short = stack_rejection(geometry.slices, geometry.spacing_mm)
    series = rejected_series([*instances_of(ordered), *unreadable], rejection or too_short)
    thickness_mm = max((p.frame.slice_thickness_mm or 0.0 for p in planes), default=0.0)
    series = replace(
        series,
        facts=replace(series.facts, slice_thickness_mm=thickness_mm or None),
        shape_zyx=finished_shape(geometry, layout.rows, layout.columns) if layout else None,
        spacing_mm=_spacing_xyz(geometry),
        box_mm=box,
        orientation=orientation_name(geometry.normal),
        readable=rejection is None,
        notices=(*lossy_notice(planes), *geometry_notices(ordered, geometry, damages)),
    )
    return series.with_grouping_notices(*copies)


def belonging_damage(stack: Sequence[Plane], damaged: Sequence[Instance]) -> list[Instance]:
    """Returns the damaged instances that would fill a hole in a stack or lengthen it.

    Args:
        stack: Planes of one shape and acquisition.
        damaged: Instances whose pixels cannot be read although their headers can.
    """
    if not damaged:
        return []
    depths = depths_mm(stack, stack[0])
    belonging = []
    for instance in damaged:
        planes = [Plane(instance, frame) for frame in instance.frames]
        placed = [p for p in planes if p.frame.position_mm is not None and same_shape(p, stack[0])]
        if any(
            np.abs(depths - depth).min() >= SAME_POSITION_MM
            for depth in depths_mm(placed, stack[0])
        ):
            belonging.append(instance)
    return belonging


def instances_of(planes: Iterable[Plane]) -> list[Instance]:
    """Returns the instances of planes in their order, each with its frames among the planes.

    Args:
        planes: Image planes of any instances.
    """
    frames: dict[int, list[Plane]] = {}
    for plane in planes:
        frames.setdefault(id(plane.instance), []).append(plane)
    return [
        members[0].instance
        if len(members) == len(members[0].instance.frames)
        else replace(members[0].instance, frames=tuple(member.frame for member in members))
        for members in frames.values()
    ]


def _spacing_xyz(geometry: StackGeometry) -> tuple[float, float, float]:
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    return (column_spacing, row_spacing, geometry.spacing_mm)


def _box(
    planes: Sequence[Plane], geometry: StackGeometry
) -> tuple[tuple[float, float, float], tuple[float, float, float]] | None:
    """The box around all voxel centres along the patient's axes."""
    layout = planes[0].instance.pixels
    if layout is None:
        return None
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    across = geometry.row_direction * column_spacing * (layout.columns - 1)
    down = geometry.column_direction * row_spacing * (layout.rows - 1)
    ends = [np.array(planes[index].frame.position_mm) for index in (0, -1)]
    corners = np.array([end + a + b for end in ends for a in (0, across) for b in (0, down)])
    low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _too_large(geometry: StackGeometry, plane: Plane) -> SeriesError | None:
    """Refuses a header with an impossible size, before anything is allocated for it."""
    layout = plane.instance.pixels
    if layout is None:
        return None
    shape_zyx = finished_shape(geometry, layout.rows, layout.columns)
    source = str(plane.instance.source)
    return size_rejection(shape_zyx, source, spacing_mm=_spacing_xyz(geometry))
