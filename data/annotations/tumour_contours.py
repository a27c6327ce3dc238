"""Tumours as voxels of a volume: RTSTRUCT (PS3.3 A.19) and SEG (PS3.3 A.51)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from hounsfield.data.annotations.polygons import pixel_centres_inside
from hounsfield.data.annotations.voxel_regions import VoxelRegion
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from hounsfield.preprocessing.volume import Volume

TUMOUR_PREFIX = "GTV"
"""Gross tumour volume; every other region (lung, heart, spinal cord) is skipped."""


def referenced_series(path: Path) -> str:
    """Reads the SeriesInstanceUID of the CT series on which an RTSTRUCT or SEG was drawn.

    Args:
        path: A DICOM file with Modality RTSTRUCT or SEG.

    Returns:
        The UID of the first referenced series.

    Raises:
        SeriesError: The file cannot be read or references no series.
    """
    dataset = _read(path, with_pixels=False)
    try:
        if dataset.Modality == "SEG":
            return str(dataset.ReferencedSeriesSequence[0].SeriesInstanceUID)
        study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        return str(study.RTReferencedSeriesSequence[0].SeriesInstanceUID)
    except (AttributeError, IndexError) as error:
        msg = f"{path} does not reference its CT series: {error}"
        raise SeriesError(Reason.UNREADABLE, msg) from error


def read_tumours(path: Path, volume: Volume) -> list[tuple[str, VoxelRegion]]:
    """Reads the regions whose name begins with ``GTV``.

    Args:
        path: A DICOM file with Modality RTSTRUCT or SEG.
        volume: The CT series on which it was drawn.

    Returns:
        Name and voxels of each region, by name.

    Raises:
        SeriesError: The file is damaged, holds no such region, or one lies outside the volume.
    """
    dataset = _read(path, with_pixels=True)
    try:
        regions = dict(
            _segments(dataset, volume) if dataset.Modality == "SEG" else _rois(dataset, volume)
        )
    except (AttributeError, IndexError, KeyError, ValueError) as error:
        msg = f"{path} is not a valid RTSTRUCT or SEG: {error!r}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    if not regions:
        msg = f"{path} must hold a region named {TUMOUR_PREFIX}..., but holds none"
        raise SeriesError(Reason.UNREADABLE, msg)
    for name, region in regions.items():
        if not len(region):
            msg = f"{path}: the region {name} is empty or lies outside the series"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    return sorted(regions.items())


def _rois(dataset: Dataset, volume: Volume) -> Iterator[tuple[str, VoxelRegion]]:
    """Closed planar contours in LPS mm; two on one slice cut a hole where they overlap."""
    name_of = {item.ROINumber: str(item.ROIName) for item in dataset.StructureSetROISequence}
    for item in dataset.ROIContourSequence:
        name = name_of[item.ReferencedROINumber]
        if not name.upper().startswith(TUMOUR_PREFIX):
            continue
        region = VoxelRegion.of([], volume)
        for contour in item.get("ContourSequence", []):
            corners = np.asarray(contour.ContourData, dtype=np.float64).reshape(-1, 3)
            voxels = volume.voxel_xyz(corners)
            pixels = pixel_centres_inside(voxels[:, :2])
            planes = np.full(len(pixels), round(float(voxels[:, 2].mean())))
            part = VoxelRegion.of([np.column_stack([planes, pixels[:, ::-1]])], volume)
            region = region.either(part)
        yield name, region


def _segments(dataset: Dataset, volume: Volume) -> Iterator[tuple[str, VoxelRegion]]:
    """Binary frames, each with its position in LPS mm."""
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    groups = dataset.PerFrameFunctionalGroupsSequence
    for segment in dataset.SegmentSequence:
        if not str(segment.SegmentLabel).upper().startswith(TUMOUR_PREFIX):
            continue
        parts = []
        for frame, group in zip(frames, groups, strict=True):
            identification = group.SegmentIdentificationSequence[0]
            if identification.ReferencedSegmentNumber == segment.SegmentNumber:
                pixels_xy = np.argwhere(frame)[:, ::-1]
                world_mm = _frame_world_mm(pixels_xy, shared, group)
                parts.append(np.rint(volume.voxel_xyz(world_mm)).astype(np.int64)[:, ::-1])
        yield str(segment.SegmentLabel), VoxelRegion.of(parts, volume)


def _frame_world_mm(
    pixels_xy: NDArray[np.int64], shared: Dataset, group: Dataset
) -> NDArray[np.float64]:
    """Maps pixels of a frame to LPS mm (PS3.3 C.7.6.2.1.1)."""
    orientation = (group if "PlaneOrientationSequence" in group else shared)[
        "PlaneOrientationSequence"
    ][0].ImageOrientationPatient
    measures = (group if "PixelMeasuresSequence" in group else shared)["PixelMeasuresSequence"][0]
    across, down = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    spacing_down, spacing_across = (float(value) for value in measures.PixelSpacing)
    origin = np.asarray(group.PlanePositionSequence[0].ImagePositionPatient, dtype=np.float64)
    steps = np.stack([across * spacing_across, down * spacing_down])
    world_mm: NDArray[np.float64] = origin + pixels_xy @ steps
    return world_mm


def _read(path: Path, *, with_pixels: bool) -> Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=not with_pixels)
    except (OSError, InvalidDicomError, EOFError) as error:
        msg = f"{path} cannot be read as DICOM: {error}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
