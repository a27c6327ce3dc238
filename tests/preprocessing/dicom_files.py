"""DICOM slices of a smooth, known field, in any position and encoding."""

import struct
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from benchmarks.material.encoded_pixels import encode_rle
from hounsfield.preprocessing.dicom.grouping.series import group_instances
from hounsfield.preprocessing.dicom.headers.instance import Instance, read_instance
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.series import Series

NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
COMPRESSED = (RLELossless, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless)

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def field_hu(world_mm: np.ndarray) -> np.ndarray:
    """A smooth field in HU at LPS positions of shape (..., 3); it changes along every axis."""
    x, y, z = np.moveaxis(np.asarray(world_mm, dtype=float), -1, 0)
    return 300 * np.sin(x / 11) + 250 * np.cos(y / 13) + 200 * np.sin(z / 17 + 0.5)


def plane_hu(position_mm, axes, spacing_mm, shape) -> np.ndarray:
    """The field on one image plane; `spacing_mm` is (between rows, between columns)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    places = (
        np.asarray(position_mm)
        + columns[..., None] * spacing_mm[1] * np.asarray(axes[0])
        + rows[..., None] * spacing_mm[0] * np.asarray(axes[1])
    )
    return np.rint(field_hu(places)).astype(np.int16)


def slice_dataset(
    hu: np.ndarray,
    position_mm=(0.0, 0.0, 0.0),
    *,
    axes=AXIAL,
    spacing_mm=(1.0, 1.0),
    series_uid="1.2.826.0.1.3680043.8.498.1",
    syntax: UID = ExplicitVRLittleEndian,
    intercept: int = -1024,
    signed: bool = False,
    **attributes,
) -> Dataset:
    """One CT slice; further keywords set or (None) delete attributes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.SeriesInstanceUID = series_uid
    dataset.Modality = "CT"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImagePositionPatient = [f"{v:.8f}"[:16] for v in position_mm]
    dataset.ImageOrientationPatient = [f"{v:.12f}"[:16] for axis in axes for v in axis]
    dataset.PixelSpacing = [f"{v:.8f}"[:16] for v in spacing_mm]
    dataset.SliceThickness = "1"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", str(intercept)
    set_pixels(dataset, hu.astype(np.int32) - intercept)
    for name, value in attributes.items():
        if value is None:
            delattr(dataset, name)
        else:
            setattr(dataset, name, value)
    return dataset


def set_pixels(dataset: Dataset, stored: np.ndarray, *, fragments: int = 1) -> None:
    """Encodes stored values in the data set's transfer syntax."""
    syntax = dataset.file_meta.TransferSyntaxUID
    sign = "i" if dataset.PixelRepresentation else "u"
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    pixels = stored.astype(f"{order}{sign}{dataset.BitsAllocated // 8}")
    if syntax not in COMPRESSED:
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW"
        return
    encoded = _encode(np.ascontiguousarray(pixels), syntax)
    dataset.PixelData = encapsulate([encoded], fragments_per_frame=fragments, has_bot=False)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _encode(pixels: np.ndarray, syntax: UID) -> bytes:
    if syntax == RLELossless:
        return encode_rle(pixels)
    if syntax == JPEG2000Lossless:
        return imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0)
    unsigned = pixels.view(np.uint16)
    if syntax == JPEGLSLossless:
        return imagecodecs.jpegls_encode(unsigned)
    return imagecodecs.jpeg8_encode(unsigned, lossless=True, predictor=1, bitspersample=16)


def save(dataset: Dataset, path: Path) -> Path:
    """Writes a data set with preamble and meta information."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def stack_datasets(depths_mm, *, shape=(24, 20), shift_mm=(0.0, 0.0), **keywords) -> list[Dataset]:
    """Slices of the field at these depths; `shift_mm` per mm of depth tilts the stack."""
    axes = keywords.get("axes", AXIAL)
    spacing_mm = keywords.get("spacing_mm", (1.0, 1.0))
    row, column = np.asarray(axes[0]), np.asarray(axes[1])
    normal = np.cross(row, column)
    datasets = []
    for number, depth in enumerate(depths_mm, start=1):
        position = depth * (normal + shift_mm[0] * row + shift_mm[1] * column)
        hu = plane_hu(position, axes, spacing_mm, shape)
        datasets.append(slice_dataset(hu, position, InstanceNumber=number, **keywords))
    return datasets


def save_stack(datasets: list[Dataset], folder: Path) -> Path:
    """Writes data sets under names whose order is not that of the slices."""
    for number, dataset in enumerate(datasets):
        save(dataset, folder / f"{(number * 7919) % 10007:05d}-{number}.dcm")
    return folder


def read_instances(folder: Path) -> list[Instance]:
    return [read_instance(ByteSource(path)) for path in sorted(folder.rglob("*")) if path.is_file()]


def series_of(folder: Path) -> list[Series]:
    return group_instances(read_instances(folder))


def only_series(folder: Path) -> Series:
    (series,) = series_of(folder)
    return series


def codes_of(notices) -> set[str]:
    return {notice.code.value for notice in notices}


def largest_error_hu(volume, *, inside: int = 1) -> float:
    """Largest deviation of a volume from the field, `inside` voxels away from every side."""
    z, y, x = np.mgrid[tuple(slice(0, n) for n in volume.shape_zyx)]
    expected = field_hu(volume.world_mm(np.stack([x, y, z], axis=-1)))
    error = np.abs(volume.hu - expected)
    # Corners that no slice covered hold air.
    measured = volume.hu > -1000
    core = error[:, inside:-inside, inside:-inside]
    return float(core[measured[:, inside:-inside, inside:-inside]].max())


def nested_sequence_file(depth: int) -> bytes:
    """A DICOM file of sequences inside sequences, `depth` deep."""
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HHI", 0x0040, 0xA730, 0xFFFFFFFF)
    sop_class = struct.pack("<HHI", 0x0008, 0x0016, 26) + CTImageStorage.encode() + b"\0"
    return sop_class + (sequence + item) * depth
