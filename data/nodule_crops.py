"""Real nodules with their readers' masks: the form of the `lidc-nodules` folder.

A folder holds ``nodules.csv`` and, for each row, ``<file>_ct.nii.gz`` (HU) and
``<file>_mask.nii.gz`` (the readers' majority), cut closely around the nodule.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

EXAMINATION_MODULUS = 5
"""LIDC-IDRI patients whose hashed id is divisible by this are kept for the final examination."""

RIM_MM = 6.0
"""How far a resampled crop reaches beyond its mask along z, where end slices are repeated."""


@dataclass(frozen=True, slots=True)
class NoduleRecord:
    """One row of ``nodules.csv``; ratings are medians of the readers', 1 to 5."""

    file: str
    patient_id: str
    series_uid: str
    centre_world_mm: tuple[float, float, float]
    diameter_mm: float
    malignancy: int
    calcification: int
    spiculation: int
    texture: int


@dataclass(frozen=True, slots=True, eq=False)
class NoduleCrop:
    """A nodule on an isotropic upright grid (x to the left, y to the back, z to the head).

    Attributes:
        hu: int16, ``[z, y, x]``.
        mask: float32, same shape: the part of each voxel that the nodule fills, 0 to 1.
        spacing_mm: Of all three axes.
    """

    record: NoduleRecord
    hu: NDArray[np.int16]
    mask: NDArray[np.float32]
    spacing_mm: float

    @property
    def centre_voxel_zyx(self) -> NDArray[np.float64]:
        """Centre of mass of the mask, in voxels of this crop."""
        return np.asarray(ndimage.center_of_mass(self.mask))


def patient_bucket(patient_id: str, modulus: int) -> int:
    """A patient's stable place in a split: sha256 of the id, as an integer, modulo."""
    return int(hashlib.sha256(patient_id.encode()).hexdigest(), 16) % modulus


def read_records(folder: Path) -> list[NoduleRecord]:
    """Reads ``nodules.csv``.

    Raises:
        UsageError: The table is missing, or a row cannot be read.
    """
    table = folder / "nodules.csv"
    if not table.is_file():
        msg = f"a folder of nodule crops must hold nodules.csv, but {table} is not there"
        raise UsageError(msg)
    records = []
    with table.open(newline="", encoding="utf-8") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                records.append(_record(row))
            except (KeyError, ValueError) as error:
                msg = f"{table}, line {number}: {error!r}; the columns of lidc-nodules are needed"
                raise UsageError(msg) from error
    return records


def read_crops(
    folder: Path, records: list[NoduleRecord], *, spacing_mm: float = 1.0
) -> Iterator[NoduleCrop]:
    """Reads each nodule and brings it onto the isotropic grid.

    The crops are short along z: the end slices are repeated for `RIM_MM`, and the mask is
    rounded off there, so that every nodule ends inside its crop.
    """
    from nibabel import Nifti1Image

    for record in records:
        image = Nifti1Image.from_filename(folder / f"{record.file}_ct.nii.gz")
        mask = Nifti1Image.from_filename(folder / f"{record.file}_mask.nii.gz")
        zoom = np.asarray(image.header.get_zooms()[:3], dtype=np.float64)
        signs = np.sign(np.diag(image.affine)[:3]) * (-1, -1, 1)  # RAS to LPS
        hu_zyx = _upright(np.asarray(image.dataobj), signs).astype(np.float32)
        mask_zyx = _upright(np.asarray(mask.dataobj), signs).astype(np.float32)
        yield _isotropic(record, hu_zyx, mask_zyx, zoom[::-1] / spacing_mm, spacing_mm)


def _record(row: dict[str, str]) -> NoduleRecord:
    return NoduleRecord(
        file=row["file"],
        patient_id=row["patient_id"],
        series_uid=row["seriesuid"],
        centre_world_mm=(float(row["x_mm"]), float(row["y_mm"]), float(row["z_mm"])),
        diameter_mm=float(row["diameter_mm"]),
        malignancy=int(row["malignancy"]),
        calcification=int(row["calcification"]),
        spiculation=int(row["spiculation"]),
        texture=int(row["texture"]),
    )


def _upright(array_xyz: NDArray[np.int16], signs: NDArray[np.float64]) -> NDArray[np.int16]:
    """Turns ``[x, y, z]`` with the given axis directions into upright ``[z, y, x]``."""
    flips = tuple(slice(None, None, -1 if sign < 0 else 1) for sign in signs)
    return array_xyz[flips].transpose(2, 1, 0)


def _isotropic(
    record: NoduleRecord,
    hu: NDArray[np.float32],
    mask: NDArray[np.float32],
    zoom_zyx: NDArray[np.float64],
    spacing_mm: float,
) -> NoduleCrop:
    """Resamples a crop linearly, and closes its mask beyond the first and last slice."""
    rim = max(1, round(RIM_MM / (zoom_zyx[0] * spacing_mm)))
    hu = np.pad(hu, ((rim, rim), (0, 0), (0, 0)), mode="edge")
    mask = np.pad(mask, ((rim, rim), (0, 0), (0, 0)))
    hu = ndimage.zoom(hu, zoom_zyx, order=1, grid_mode=True, mode="nearest")
    mask = ndimage.zoom(mask, zoom_zyx, order=1, grid_mode=True, mode="grid-constant")
    soft = ndimage.gaussian_filter(mask, (0.8, 0.4, 0.4))
    return NoduleCrop(record, np.rint(hu).astype(np.int16), soft.astype(np.float32), spacing_mm)
