"""Parts of annotations in DICOM: items of sequences, the data set around them, binary masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

if TYPE_CHECKING:
    from numpy.typing import NDArray


def item(**attributes: object) -> Dataset:
    """Returns a data set, for instance an item of a sequence.

    Args:
        attributes: Values by the keywords of their elements.
    """
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def annotation(
    modality: str, storage: UID, *, patient_id: str, series_uid: str, instance_uid: str
) -> Dataset:
    """Returns an annotation without content, in study 1.2, which can be saved as a file.

    Args:
        modality: For instance ``RTSTRUCT``.
        storage: Its SOP class.
        patient_id: Patient of the annotated series.
        series_uid: Series Instance UID of the annotation itself.
        instance_uid: SOP Instance UID of the annotation itself.
    """
    dataset = item(
        SOPClassUID=storage,
        SOPInstanceUID=instance_uid,
        Modality=modality,
        PatientID=patient_id,
        StudyInstanceUID="1.2",
        SeriesInstanceUID=series_uid,
    )
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = storage
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    return dataset


def set_binary_mask(dataset: Dataset, mask: NDArray[np.bool_]) -> None:
    """Sets the pixels of a segmentation to a mask of one bit for each voxel (PS3.5, 8.1.1).

    Args:
        dataset: The segmentation, changed in place.
        mask: ``[frame, row, column]``.
    """
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = mask.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PixelData = np.packbits(mask.ravel(), bitorder="little").tobytes()
    dataset["PixelData"].VR = "OB"
