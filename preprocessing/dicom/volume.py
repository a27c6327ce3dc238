"""Reads a DICOM series as a `Volume`: pixels to HU, planes to an even, orthogonal grid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.dicom.acquisitions import Plane
from hounsfield.preprocessing.dicom.codecs import NATIVE_SYNTAXES
from hounsfield.preprocessing.dicom.notices import geometry_notices, lossy_notice, pixel_notices
from hounsfield.preprocessing.dicom.pixels import FrameFindings, read_hu
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.slice_geometry import (
    MAX_MISSING_SLICES,
    StackGeometry,
    fit_stack,
)
from hounsfield.preprocessing.geometry.stacking import allocate_stack, finish_stack, stack_index
from hounsfield.preprocessing.parallel import usable_threads
from hounsfield.preprocessing.volume import SourceFrame, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.series import Series


def read_dicom_volume(series: Series) -> Volume:
    """Reads the pixels of a series that `group_instances` made.

    Slices that turn out to be unreadable count as missing: up to
    `slice_geometry.MAX_MISSING_SLICES` are interpolated with a notice that names them.

    Raises:
        SeriesError: The series' own rejection where it is not readable; `missing_slices`,
            `truncated`, `unreadable`, `unsupported_encoding` or `inconsistent_geometry`.
    """
    if not series.readable and series.rejection is not None:
        raise series.rejection
    planes = [Plane(instance, frame) for instance in series.instances for frame in instance.frames]
    lost = [plane.instance.damage for plane in planes if plane.instance.damage is not None]
    whole = [plane for plane in planes if plane.instance.damage is None]
    # A second round happens only where decoding failed; the geometry is then found anew.
    while True:
        if not whole or len(lost) > MAX_MISSING_SLICES:
            raise too_many_lost(lost, len(planes))
        geometry = fit_stack([plane.frame for plane in whole], spacing_hint_mm(whole[0]))
        hu, findings, failures = _read_planes(whole, geometry)
        if not failures:
            break
        lost += failures.values()
        whole = [plane for index, plane in enumerate(whole) if index not in failures]
    voxels = hu.size
    ordered = [whole[index] for index in geometry.order]
    hu, affine = finish_stack(hu, geometry)
    dropped = [n for n in series.notices if n.code is NoticeCode.DUPLICATE_SLICES_DROPPED]
    return Volume(
        hu=hu,
        affine=affine,
        series=series.facts,
        source_frames=_source_frames(ordered, geometry),
        notices=(
            *dropped,
            *lossy_notice(whole),
            *geometry_notices(ordered, geometry, lost),
            *pixel_notices(findings, voxels),
        ),
    )


def spacing_hint_mm(plane: Plane) -> float | None:
    """The depth of a single slice: its thickness first, which is wrong less often."""
    return plane.frame.slice_thickness_mm or plane.instance.spacing_between_slices_mm


def too_many_lost(lost: Sequence[SeriesError], count: int) -> SeriesError:
    """The error of a series too many of whose slices cannot be read."""
    if not lost:
        return SeriesError(Reason.NOT_AN_IMAGE, "the series holds no image")
    if count == 1:
        return lost[0]
    msg = (
        f"{len(lost)} of {count} slices cannot be read, at most {MAX_MISSING_SLICES} are "
        f"interpolated; the first: {lost[0].message}"
    )
    return SeriesError(lost[0].reason, msg)


def _read_planes(
    planes: Sequence[Plane], geometry: StackGeometry
) -> tuple[NDArray[np.int16], list[FrameFindings], dict[int, SeriesError]]:
    """Reads each plane into its place; tells which could not be read."""
    layout = planes[0].instance.pixels
    if layout is None:
        raise too_many_lost([], 0)
    hu = allocate_stack(geometry, layout.rows, layout.columns)

    def read(place: int) -> FrameFindings | SeriesError:
        plane = planes[geometry.order[place]]
        try:
            return read_hu(plane.instance, plane.frame, hu[stack_index(geometry, place)])
        except SeriesError as error:
            return error

    # The codecs release the interpreter's lock; parsing and copying raw pixels do not.
    raw = planes[0].instance.transfer_syntax_uid in NATIVE_SYNTAXES
    with ThreadPoolExecutor(1 if raw else usable_threads()) as pool:
        outcomes = list(pool.map(read, range(len(geometry.order))))
    failures = {
        index: outcome
        for index, outcome in zip(geometry.order, outcomes, strict=True)
        if isinstance(outcome, SeriesError)
    }
    return hu, [found for found in outcomes if isinstance(found, FrameFindings)], failures


def _source_frames(planes: Sequence[Plane], geometry: StackGeometry) -> tuple[SourceFrame, ...]:
    """The original images with their own, true affines: tilted ones stay tilted here."""
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    frames = []
    for instance, frame in planes:
        affine = np.eye(4)
        affine[:3, 0] = geometry.row_direction * column_spacing
        affine[:3, 1] = geometry.column_direction * row_spacing
        affine[:3, 2] = geometry.normal
        affine[:3, 3] = frame.position_mm
        frames.append(SourceFrame(instance.sop_instance_uid, frame.number, affine))
    return tuple(frames)
