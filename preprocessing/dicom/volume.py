"""Reads a DICOM series as a `Volume`: pixels in HU, planes on an even, orthogonal grid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.instance import Instance
from hounsfield.preprocessing.dicom.headers.plane import Plane
from hounsfield.preprocessing.dicom.headers.transfer_syntaxes import NATIVE_SYNTAXES
from hounsfield.preprocessing.dicom.notices import geometry_notices, lossy_notice, pixel_notices
from hounsfield.preprocessing.dicom.pixels.consistency import Inconsistent, check_consistency
from hounsfield.preprocessing.dicom.pixels.hu_scale import scale_rejection, twice_rescaled
from hounsfield.preprocessing.dicom.pixels.interleaving import interleaved_rejection
from hounsfield.preprocessing.dicom.pixels.reading import FrameNotes, read_hu
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.depth_grid import max_missing
from hounsfield.preprocessing.geometry.slice_geometry import StackGeometry, fit_stack
from hounsfield.preprocessing.geometry.stacking import allocate_stack, finish_stack, stack_index
from hounsfield.preprocessing.memory import memory_rejection
from hounsfield.preprocessing.parallel import usable_threads
from hounsfield.preprocessing.volume import SourceFrame, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.series import Series


def read_dicom_volume(series: Series) -> Volume:
    """Reads the pixels of a series that `group_instances` made.

    Slices that prove unreadable count as missing: as many as `depth_grid.max_missing` says are
    interpolated, with a notice that names them.

    Args:
        series: A DICOM series; one that is only too short for analysis can be read.

    Returns:
        The volume, with the notices on how it was made.

    Raises:
        SeriesError: The series' own rejection if it is not readable; `missing_slices`,
            `truncated`, `unreadable`, `unsupported_encoding`, `hu_unknown`,
            `out_of_memory` or `inconsistent_geometry`.
    """
    if not series.readable and series.rejection is not None:
        raise series.rejection
    if series.shape_zyx is not None:
        too_large = memory_rejection(series.shape_zyx, series.path)
        if too_large is not None:
            raise too_large
    instances = dicom_instances(series)
    planes = [Plane(instance, frame) for instance in instances for frame in instance.frames]
    unreadable = [plane.instance.damage for plane in planes if plane.instance.damage is not None]
    intact = [plane for plane in planes if plane.instance.damage is None]
    # A second round happens only if slices were unreadable or unlike the others; the geometry is
    # then fitted again.
    while True:
        if not intact or len(unreadable) > max_missing(len(planes)):
            raise too_many_unreadable(unreadable, len(planes))
        geometry = fit_stack([plane.frame for plane in intact], spacing_hint_mm(intact[0]))
        hu, frames, failures = _read_planes(intact, geometry)
        ordered = [intact[index] for index in geometry.order]
        if not failures:
            unusual = _check_consistency(ordered, hu, geometry)
            failures = {geometry.order[i]: error for i, error in unusual.failures.items()}
        if not failures:
            break
        unreadable += failures.values()
        intact = [plane for index, plane in enumerate(intact) if index not in failures]
    mixed = interleaved_rejection(len(ordered), lambda i: hu[stack_index(geometry, i)])
    if mixed is not None:
        raise mixed
    voxels = hu.size
    hu, affine = finish_stack(hu, geometry)
    field_mm = min(np.multiply(hu.shape[1:], geometry.pixel_spacing_mm))
    low_hu = sum(notes.low_voxels for notes in frames)
    wrong = scale_rejection(hu, float(field_mm)) or twice_rescaled(low_hu, voxels)
    if wrong is not None:
        raise wrong
    return Volume(
        hu=hu,
        affine=affine,
        series=series.facts,
        source_frames=_source_frames(ordered, geometry),
        notices=(
            *series.grouping_notices,
            *lossy_notice(intact),
            *geometry_notices(ordered, geometry, unreadable),
            *pixel_notices(frames, voxels),
            *unusual.notices,
        ),
        filled_slices=geometry.missing,
    )


def dicom_instances(series: Series) -> list[Instance]:
    """Returns the headers of a series' instances; none for MetaImage and NIfTI.

    Args:
        series: A series of any format, from `discover`.
    """
    return [instance for instance in series.instances if isinstance(instance, Instance)]


def spacing_hint_mm(plane: Plane) -> float | None:
    """Returns the spacing to assume for a single slice: its thickness first, the more reliable.

    Args:
        plane: The only plane of a stack, or any of one with several.
    """
    return plane.frame.slice_thickness_mm or plane.instance.spacing_between_slices_mm


def too_many_unreadable(unreadable: Sequence[SeriesError], count: int) -> SeriesError:
    """Returns the error of a series in which too many slices cannot be read.

    Args:
        unreadable: The error of each unreadable slice.
        count: Number of slices, readable or not.
    """
    if not unreadable:
        return SeriesError(Reason.NOT_AN_IMAGE, "The series holds no image")
    if count == 1:
        return unreadable[0]
    msg = (
        f"{len(unreadable)} of {count} slices cannot be read, at most {max_missing(count)} are "
        f"interpolated; the first: {unreadable[0].message}"
    )
    return SeriesError(unreadable[0].reason, msg, path=unreadable[0].path)


def _read_planes(
    planes: Sequence[Plane], geometry: StackGeometry
) -> tuple[NDArray[np.int16], list[FrameNotes], dict[int, SeriesError]]:
    """Reads each plane into its slice; returns also the error of each that cannot be read."""
    layout = planes[0].instance.pixels
    if layout is None:
        raise too_many_unreadable([], 0)
    hu = allocate_stack(geometry, layout.rows, layout.columns)

    def read(position: int) -> FrameNotes | SeriesError:
        plane = planes[geometry.order[position]]
        try:
            return read_hu(plane.instance, plane.frame, hu[stack_index(geometry, position)])
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
    frames = [outcome for outcome in outcomes if isinstance(outcome, FrameNotes)]
    return hu, frames, failures


def _check_consistency(
    planes: Sequence[Plane], hu: NDArray[np.int16], geometry: StackGeometry
) -> Inconsistent:
    return check_consistency(planes, lambda index: hu[stack_index(geometry, index)])


def _source_frames(planes: Sequence[Plane], geometry: StackGeometry) -> tuple[SourceFrame, ...]:
    """The original images with their own affines: tilted ones stay tilted."""
    row_spacing, column_spacing = geometry.pixel_spacing_mm
    source_frames = []
    for instance, frame in planes:
        affine = np.eye(4)
        affine[:3, 0] = geometry.row_direction * column_spacing
        affine[:3, 1] = geometry.column_direction * row_spacing
        affine[:3, 2] = geometry.normal
        affine[:3, 3] = frame.position_mm
        source_frames.append(SourceFrame(instance.sop_instance_uid, frame.number, affine))
    return tuple(source_frames)
