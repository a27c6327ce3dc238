"""Annotations in DICOM: contours (RTSTRUCT) and masks (SEG) of a tumour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, RTStructureSetStorage, SegmentationStorage

from benchmarks.material.reader_inputs.reader_input import SERIES_UID

if TYPE_CHECKING:
    from pathlib import Path

SHAPE_ZYX = (8, 40, 40)
"""Of the series that is annotated."""


def write_rtstruct(folder: Path) -> Path:
    """Writes an RTSTRUCT with one contour on each of two slices."""
    dataset = _part10("RTSTRUCT", RTStructureSetStorage)
    study = _item(RTReferencedSeriesSequence=[_item(SeriesInstanceUID=SERIES_UID)])
    dataset.ReferencedFrameOfReferenceSequence = [_item(RTReferencedStudySequence=[study])]
    dataset.StructureSetROISequence = [_item(ROINumber=1, ROIName="GTV-1")]
    contours = [
        _item(
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=4,
            ContourData=["10", "10", z, "16", "10", z, "16", "16", z, "10", "16", z],
        )
        for z in ("6", "8")
    ]
    dataset.ROIContourSequence = [_item(ReferencedROINumber=1, ContourSequence=contours)]
    path = folder / "rtstruct.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def write_seg(folder: Path) -> Path:
    """Writes a binary segmentation of two frames."""
    dataset = _part10("SEG", SegmentationStorage)
    dataset.ReferencedSeriesSequence = [_item(SeriesInstanceUID=SERIES_UID)]
    dataset.SegmentSequence = [_item(SegmentNumber=1, SegmentLabel="GTV-1")]
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            PlaneOrientationSequence=[_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
            PixelMeasuresSequence=[_item(PixelSpacing=[1.0, 1.0])],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[0, 0, z])],
            SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=1)],
        )
        for z in (6, 8)
    ]
    frames = np.zeros((2, *SHAPE_ZYX[1:]), bool)
    frames[:, 10:16, 20:26] = True
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset["PixelData"].VR = "OB"
    path = folder / "seg.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _part10(modality: str, storage: UID) -> Dataset:
    dataset = _item(SOPClassUID=storage, SOPInstanceUID="1.9", Modality=modality, PatientID="P1")
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = storage
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.9")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", "1.8"
    return dataset


def _item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset
