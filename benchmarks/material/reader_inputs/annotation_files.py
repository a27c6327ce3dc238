"""Annotations in DICOM: contours (RTSTRUCT) and masks (SEG) of a tumour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from benchmarks.material.dicom_annotations import annotation, item, set_binary_mask
from benchmarks.material.reader_inputs.reader_input import SERIES_UID

if TYPE_CHECKING:
    from pathlib import Path

SHAPE_ZYX = (8, 40, 40)
"""Of the series that is annotated."""


def write_rtstruct(folder: Path) -> Path:
    """Writes an RTSTRUCT with one contour on each of two slices."""
    dataset = annotation(
        "RTSTRUCT", RTStructureSetStorage, patient_id="P1", series_uid="1.8", instance_uid="1.9"
    )
    study = item(RTReferencedSeriesSequence=[item(SeriesInstanceUID=SERIES_UID)])
    dataset.ReferencedFrameOfReferenceSequence = [item(RTReferencedStudySequence=[study])]
    dataset.StructureSetROISequence = [item(ROINumber=1, ROIName="GTV-1")]
    contours = [
        item(
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=4,
            ContourData=["10", "10", z, "16", "10", z, "16", "16", z, "10", "16", z],
        )
        for z in ("6", "8")
    ]
    dataset.ROIContourSequence = [item(ReferencedROINumber=1, ContourSequence=contours)]
    path = folder / "rtstruct.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_seg(folder: Path) -> Path:
    """Writes a binary segmentation of two frames."""
    dataset = annotation(
        "SEG", SegmentationStorage, patient_id="P1", series_uid="1.8", instance_uid="1.9"
    )
    dataset.ReferencedSeriesSequence = [item(SeriesInstanceUID=SERIES_UID)]
    dataset.SegmentSequence = [item(SegmentNumber=1, SegmentLabel="GTV-1")]
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[item(PixelSpacing=[1.0, 1.0])],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])],
            SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
        )
        for z in (6, 8)
    ]
    frames = np.zeros((2, *SHAPE_ZYX[1:]), bool)
    frames[:, 10:16, 20:26] = True
    set_binary_mask(dataset, frames)
    path = folder / "seg.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path
