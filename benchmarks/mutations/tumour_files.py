"""Kinds of annotation in DICOM: contours (RTSTRUCT) and masks (SEG) of a tumour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    SegmentationStorage,
)

from benchmarks.mutations.chest import EDGE, SPACING_MM, small_chest_on_disk
from benchmarks.mutations.dicom_files import NestedKind, file_of
from benchmarks.mutations.kinds import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.volume import Volume


class TumourKind(NestedKind):
    """A file with the tumours of the small chest."""

    def read(self, folder: Path) -> Reading:
        """Finds its series and reads its tumours."""
        from hounsfield.data.annotations.tumour_contours import read_tumours, referenced_series

        path = folder / self.file_name()
        referenced_series(path)
        read_tumours(path, small_chest_on_disk())
        return Reading()


class ContourKind(TumourKind):
    """Closed planar contours on four slices."""

    name = "rtstruct"
    share = 2_500

    def files(self) -> dict[str, bytes]:
        """One file."""
        volume = small_chest_on_disk()
        dataset = _annotation("RTSTRUCT", RTStructureSetStorage)
        series = _item(SeriesInstanceUID=volume.series.series_uid)
        study = _item(RTReferencedSeriesSequence=[series])
        dataset.ReferencedFrameOfReferenceSequence = [_item(RTReferencedStudySequence=[study])]
        dataset.StructureSetROISequence = [_item(ROINumber=1, ROIName="GTV-1")]
        corners = ((20, 30), (26, 30), (26, 37), (20, 37))
        contours = [
            _item(
                ContourGeometricType="CLOSED_PLANAR",
                ContourData=[
                    f"{value:.3f}" for x, y in corners for value in volume.world_mm((x, y, z))
                ],
            )
            for z in range(3, 7)
        ]
        roi = _item(ReferencedROINumber=1, ContourSequence=contours)
        dataset.ROIContourSequence = [roi]
        return {"tumour.dcm": file_of(dataset)}


class MaskKind(TumourKind):
    """A binary segmentation on three slices."""

    name = "seg"
    share = 2_500

    def files(self) -> dict[str, bytes]:
        """One file."""
        volume = small_chest_on_disk()
        dataset = _annotation("SEG", SegmentationStorage)
        dataset.ReferencedSeriesSequence = [_item(SeriesInstanceUID=volume.series.series_uid)]
        dataset.SegmentSequence = [_item(SegmentNumber=1, SegmentLabel="GTV-1")]
        orientation = _item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
        measures = _item(PixelSpacing=[SPACING_MM, SPACING_MM])
        dataset.SharedFunctionalGroupsSequence = [
            _item(PlaneOrientationSequence=[orientation], PixelMeasuresSequence=[measures])
        ]
        dataset.PerFrameFunctionalGroupsSequence = [_frame(volume, index) for index in range(3, 6)]
        mask = np.zeros((3, EDGE, EDGE), dtype=np.uint8)
        mask[:, 28:36, 18:27] = 1
        dataset.NumberOfFrames, dataset.Rows, dataset.Columns = mask.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 1
        dataset.HighBit = dataset.PixelRepresentation = 0
        dataset.PixelData = np.packbits(mask.ravel(), bitorder="little").tobytes()
        dataset["PixelData"].VR = "OB"
        return {"tumour.dcm": file_of(dataset)}


def _frame(volume: Volume, index: int) -> Dataset:
    position = [f"{value:.3f}" for value in volume.world_mm((0, 0, index))]
    return _item(
        PlanePositionSequence=[_item(ImagePositionPatient=position)],
        SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=1)],
    )


def _annotation(modality: str, storage: UID) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = storage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = UID("1.2.3.4")
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2", "1.2.9"
    dataset.PatientID, dataset.Modality = "HF-22", modality
    return dataset


def _item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for name, value in attributes.items():
        setattr(dataset, name, value)
    return dataset
