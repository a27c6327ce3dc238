"""Tumours as voxels of a volume: RTSTRUCT (PS3.3 A.19) and SEG (PS3.3 A.51)."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array

from hounsfield.data.annotations.polygons import pixel_centres_inside
from hounsfield.data.annotations.voxel_regions import VoxelRegion, require_inside
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from hounsfield.preprocessing.volume import Volume

TUMOUR_PREFIX = "GTV"
"""Gross tumour volume; every other region (lung, heart, spinal cord) is skipped."""

FORM = "The RTSTRUCT or SEG"

MAX_CORNERS = 20_000
"""Corners of one contour: about twice the pixels around an image of 2,048 x 2,048."""


def referenced_series(path: Path) -> str:
    """Reads the SeriesInstanceUID of the CT series on which an RTSTRUCT or SEG was drawn.

    Args:
        path: A DICOM file with Modality RTSTRUCT or SEG.

    Returns:
        The UID of the first referenced series.

    Raises:
        SeriesError: The file cannot be read or references no series.
    """
    with as_series_error(path, FORM, remedy="download it again", quotes_library=True):
        dataset = _read(path, stop_before_pixels=True)
        try:
            if dataset.Modality == "SEG":
                return str(dataset.ReferencedSeriesSequence[0].SeriesInstanceUID)
            study = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
            return str(study.RTReferencedSeriesSequence[0].SeriesInstanceUID)
        except (AttributeError, IndexError) as error:
            msg = f"The file does not reference its CT series: {error}"
            raise SeriesError(Reason.UNREADABLE, msg) from error


def read_tumours(path: Path, volume: Volume) -> list[tuple[str, VoxelRegion]]:
    """Reads the regions whose name begins with ``GTV``.

    Args:
        path: A DICOM file with Modality RTSTRUCT or SEG.
        volume: The CT series on which it was drawn.

    Returns:
        Name and voxels of each region, by name.

    Raises:
        SeriesError: The file is damaged, holds no such region, or one is empty or lies outside
            the volume.
    """
    with as_series_error(path, FORM, remedy="download it again", quotes_library=True):
        dataset = _read(path)
        regions = dict(
            _segments(dataset, volume) if dataset.Modality == "SEG" else _rois(dataset, volume)
        )
        if not regions:
            msg = f"The file must hold a region named {TUMOUR_PREFIX}..., but holds none"
            raise SeriesError(Reason.UNREADABLE, msg)
        for name, region in regions.items():
            if not len(region):
                msg = f"The region {name} is empty: no voxel centre of the series lies in it"
                raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
        return sorted(regions.items())


def _read(path: Path, *, stop_before_pixels: bool = False) -> Dataset:
    """Reads a file through a mapping, of which no element can ask for more than the file has."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # Before Python 3.13 a mapping's `seek` returns nothing, which pydicom does not use.
        return pydicom.dcmread(content, stop_before_pixels=stop_before_pixels)  # type: ignore[arg-type]


def _rois(dataset: Dataset, volume: Volume) -> Iterator[tuple[str, VoxelRegion]]:
    """Closed planar contours in LPS mm; two on one slice cut a hole where they overlap."""
    name_of = {item.ROINumber: str(item.ROIName) for item in dataset.StructureSetROISequence}
    for item in dataset.ROIContourSequence:
        name = name_of[item.ReferencedROINumber]
        if not name.upper().startswith(TUMOUR_PREFIX):
            continue
        region = VoxelRegion.of([], volume)
        for contour in item.get("ContourSequence", []):
            part = _contour_voxels(contour, volume, name)
            region = region.either(VoxelRegion.of([part], volume))
        yield name, region


def _contour_voxels(contour: Dataset, volume: Volume, name: str) -> NDArray[np.int64]:
    """Voxels [z, y, x] of the plane whose centres lie inside one contour."""
    corners = np.asarray(contour.ContourData, dtype=np.float64).reshape(-1, 3)
    if not 0 < len(corners) <= MAX_CORNERS:
        msg = f"A contour of {name} must have 1 to {MAX_CORNERS} corners, got {len(corners)}"
        raise SeriesError(Reason.UNREADABLE, msg)
    voxels_xyz = volume.voxel_xyz(corners)
    require_inside(voxels_xyz, volume, f"A corner of the region {name}")
    pixels = pixel_centres_inside(voxels_xyz[:, :2])
    planes = np.full(len(pixels), round(float(voxels_xyz[:, 2].mean())))
    return np.column_stack([planes, pixels[:, ::-1]])


def _segments(dataset: Dataset, volume: Volume) -> Iterator[tuple[str, VoxelRegion]]:
    """Binary frames, each with its position in LPS mm."""
    groups = dataset.PerFrameFunctionalGroupsSequence
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if not 0 < rows * columns <= volume.hu.size:
        msg = f"Frames of {rows} x {columns} pixels cannot be a segmentation of this series"
        raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
    if int(dataset.NumberOfFrames) != len(groups):
        msg = f"{dataset.NumberOfFrames} frames must have as many positions, got {len(groups)}"
        raise SeriesError(Reason.UNREADABLE, msg)
    for segment in dataset.SegmentSequence:
        label = str(segment.SegmentLabel)
        if label.upper().startswith(TUMOUR_PREFIX):
            parts = _frame_parts(dataset, int(segment.SegmentNumber), volume, label)
            yield label, VoxelRegion.of(parts, volume)


def _frame_parts(
    dataset: Dataset, segment: int, volume: Volume, label: str
) -> Iterator[NDArray[np.int64]]:
    """Voxels [z, y, x] of each frame of a segment; one frame is decoded at a time."""
    shared = dataset.SharedFunctionalGroupsSequence[0]
    for index, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        identification = group.SegmentIdentificationSequence[0]
        if identification.ReferencedSegmentNumber != segment:
            continue
        pixels_xy = np.argwhere(pixel_array(dataset, index=index))[:, ::-1]
        voxels_xyz = volume.voxel_xyz(_frame_world_mm(pixels_xy, shared, group))
        require_inside(voxels_xyz, volume, f"A pixel of the region {label}")
        yield np.rint(voxels_xyz).astype(np.int64)[:, ::-1]


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
