"""Writes a `Volume` as a CT series: one CT Image Storage instance per slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.preprocessing.volume import Volume

RESCALE_INTERCEPT = -1024


def ct_datasets(volume: Volume) -> list[Dataset]:
    """Makes the DICOM instances of a volume, in slice order, with uncompressed pixels.

    HU are stored unsigned in 16 bits with intercept -1024; 12 bits are used where they suffice.
    Identifiers are derived from the volume's own, so the same volume gives the same bytes.

    Args:
        volume: Its affine must have orthogonal columns: axial, sagittal, coronal or oblique.

    Returns:
        One dataset per slice.

    Raises:
        ValueError: The affine is sheared, or an HU is below -1024.
    """
    columns = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    if not np.allclose(columns.T @ columns, np.eye(3), atol=1e-6):
        msg = "affine must have orthogonal columns to be written as a CT series"
        raise ValueError(msg)
    series = _series_attributes(volume)
    lowest, highest = int(volume.hu.min()), int(volume.hu.max())
    if lowest < RESCALE_INTERCEPT:
        msg = f"hu must be at least {RESCALE_INTERCEPT} to be written as a CT series, got {lowest}"
        raise ValueError(msg)
    bits = 12 if highest - RESCALE_INTERCEPT < 4096 else 16
    return [_slice_dataset(volume, series, columns, index, bits) for index in range(len(volume.hu))]


def save_series(datasets: Sequence[Dataset], folder: Path) -> list[Path]:
    """Writes the instances as ``00001.dcm`` and so on.

    Args:
        datasets: Instances in slice order, such as `ct_datasets` makes.
        folder: Created where it is missing.

    Returns:
        The paths, in the order of the datasets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:05d}.dcm" for number in range(1, len(datasets) + 1)]
    for dataset, path in zip(datasets, paths, strict=True):
        dataset.save_as(path, enforce_file_format=True)
    return paths


def _series_attributes(volume: Volume) -> Dataset:
    """The attributes that all instances share."""
    facts = volume.series
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.StudyInstanceUID = facts.study_uid
    dataset.SeriesInstanceUID = facts.series_uid
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=[facts.study_uid, "frame"])
    dataset.PositionReferenceIndicator = ""
    dataset.PatientName = "Phantom^Digital"
    dataset.PatientID = facts.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = facts.patient_sex
    if facts.patient_age_years is not None:
        dataset.PatientAge = f"{int(facts.patient_age_years):03d}Y"
    dataset.StudyDate = facts.study_date
    dataset.StudyTime = "120000" if facts.study_date else ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.StudyDescription = facts.study_description
    dataset.Modality = "CT"
    dataset.SeriesNumber = facts.series_number or 1
    dataset.SeriesDescription = facts.series_description
    dataset.PatientPosition = facts.patient_position or "HFS"
    dataset.Manufacturer = facts.manufacturer
    dataset.ManufacturerModelName = facts.manufacturer_model_name
    dataset.ConvolutionKernel = facts.convolution_kernel
    dataset.BodyPartExamined = facts.body_part_examined
    if facts.contrast_bolus_agent:
        dataset.ContrastBolusAgent = facts.contrast_bolus_agent
    dataset.KVP = None if facts.kvp is None else str(facts.kvp)
    dataset.ImageType = list(facts.image_type) or ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.AcquisitionNumber = 1
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelRepresentation = 0
    dataset.RescaleSlope = "1"
    dataset.RescaleIntercept = str(RESCALE_INTERCEPT)
    dataset.RescaleType = "HU"
    return dataset


def _slice_dataset(
    volume: Volume,
    series: Dataset,
    columns: np.ndarray,
    index: int,
    bits: int,
) -> Dataset:
    """One instance: the shared attributes, its position and its pixels."""
    stored = (volume.hu[index].astype(np.int32) - RESCALE_INTERCEPT).astype("<u2")
    spacing_x, spacing_y, spacing_z = volume.spacing_mm
    dataset = Dataset()
    dataset.update(series)  # Dataset(series) would share its elements with every other slice
    dataset.SOPInstanceUID = generate_uid(
        entropy_srcs=[volume.series.series_uid, f"instance {index}"]
    )
    dataset.InstanceNumber = index + 1
    dataset.ImagePositionPatient = [_ds(v) for v in volume.world_mm((0, 0, index))]
    dataset.ImageOrientationPatient = [_ds(v) for v in columns[:, :2].T.ravel()]
    dataset.PixelSpacing = [_ds(spacing_y), _ds(spacing_x)]
    dataset.SliceThickness = _ds(volume.series.slice_thickness_mm or spacing_z)
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters (DICOM PS3.5, VR DS)."""
    text = f"{value:.10f}"[:16].rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text
