"""Kinds of annotation in DICOM: contours (RTSTRUCT) and masks (SEG) of a tumour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from benchmarks.material.dicom_annotations import annotation, item, set_binary_mask
from benchmarks.mutations.chest import EDGE, SPACING_MM, small_chest_on_disk
from benchmarks.mutations.dicom_files import NestedKind, file_of
from benchmarks.mutations.kinds import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset
    from pydicom.uid import UID

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
        series = item(SeriesInstanceUID=volume.series.series_uid)
        study = item(RTReferencedSeriesSequence=[series])
        dataset.ReferencedFrameOfReferenceSequence = [item(RTReferencedStudySequence=[study])]
        dataset.StructureSetROISequence = [item(ROINumber=1, ROIName="GTV-1")]
        corners = ((20, 30), (26, 30), (26, 37), (20, 37))
        contours = [
            item(
                ContourGeometricType="CLOSED_PLANAR",
                ContourData=[
                    f"{value:.3f}" for x, y in corners for value in volume.world_mm((x, y, z))
                ],
            )
            for z in range(3, 7)
        ]
        roi = item(ReferencedROINumber=1, ContourSequence=contours)
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
        dataset.ReferencedSeriesSequence = [item(SeriesInstanceUID=volume.series.series_uid)]
        dataset.SegmentSequence = [item(SegmentNumber=1, SegmentLabel="GTV-1")]
        orientation = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
        measures = item(PixelSpacing=[SPACING_MM, SPACING_MM])
        dataset.SharedFunctionalGroupsSequence = [
            item(PlaneOrientationSequence=[orientation], PixelMeasuresSequence=[measures])
        ]
        dataset.PerFrameFunctionalGroupsSequence = [_frame(volume, index) for index in range(3, 6)]
        mask = np.zeros((3, EDGE, EDGE), dtype=np.bool_)
        mask[:, 28:36, 18:27] = True
        set_binary_mask(dataset, mask)
        return {"tumour.dcm": file_of(dataset)}


def _frame(volume: Volume, index: int) -> Dataset:
    position = [f"{value:.3f}" for value in volume.world_mm((0, 0, index))]
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=position)],
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=1)],
    )


def _annotation(modality: str, storage: UID) -> Dataset:
    return annotation(
        modality, storage, patient_id="HF-22", series_uid="1.2.9", instance_uid="1.2.3.4"
    )
