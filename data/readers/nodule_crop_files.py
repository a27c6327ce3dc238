"""Real nodules with their readers' masks: the form of the `lidc-nodules` folder.

A folder holds ``nodules.csv`` and, for each row, ``<file>_ct.nii.gz`` (HU) and
``<file>_mask.nii.gz`` (the readers' majority), cut closely around the nodule.
"""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.case import FULL_VOXEL, CaseOrigin, KnownFinding, PreparedCase
from hounsfield.data.prepared.fingerprints import files_fingerprint, voxels_sha256
from hounsfield.data.readers.dataset import DatasetContents, ExcludedCase
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from hounsfield.preprocessing.working_volume import WorkingVolume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TABLE = "nodules.csv"
SPACING_MM = 1.0
RIM_MM = 6.0
"""How far a case reaches beyond its crop along z, where the end slices are repeated."""

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class NoduleFiles:
    """A nodule's row and files, which can be prepared: a `data.datasets.CaseSource`."""

    ct: Path
    mask: Path
    name: str
    source_series_uid: str
    patient_id: str
    finding: KnownFinding
    fold: None = None

    @property
    def series_uid(self) -> str:
        """The series and the nodule's file: a series may hold several."""
        return f"{self.source_series_uid}.{self.name}"

    @property
    def fingerprint(self) -> str:
        """Changes when the row or a file does."""
        return f"{self.patient_id} {self.finding} {files_fingerprint([self.ct, self.mask])}"

    def native(self) -> tuple[Volume, NDArray[np.bool_]]:
        """The crop as it lies in its files, and the nodule's voxels in it.

        Raises:
            SeriesError: A file is damaged, or files and row do not fit together.
        """
        ct, mask = _read(self.ct), _read(self.mask)
        if ct.shape_zyx != mask.shape_zyx or not np.allclose(ct.affine, mask.affine, atol=1e-3):
            msg = f"{self.mask} must lie on the grid of {self.ct.name}, but lies on another"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
        centre_zyx = ct.voxel_xyz(self.finding.centre_world_mm)[::-1]
        if np.any(centre_zyx < -1) or np.any(centre_zyx > ct.shape_zyx):
            place = self.finding.centre_world_mm
            msg = f"{self.ct} must hold its nodule, but {TABLE} puts the centre at {place} mm (LPS)"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg)
        return ct, mask.hu > 0

    def make(self) -> PreparedCase:
        """Brings the crop onto the working grid; it is short along z, and extended there.

        Raises:
            SeriesError: A file is damaged, or files and row do not fit together.
        """
        ct, mask = self.native()
        hu, affine = upright_view(ct)
        inside, _ = upright_view(replace(ct, hu=mask.astype(np.int16)))
        volume, nodule = on_working_grid(hu, inside > 0, affine)
        return PreparedCase(
            self.series_uid,
            self.patient_id,
            volume,
            (self.finding,),
            synthetic=False,
            origin=CaseOrigin(voxels_sha256(ct.hu), source_series_uid=self.source_series_uid),
            nodule_mask=nodule,
        )


def read_nodule_crops(source: Path) -> DatasetContents:
    """Reads ``nodules.csv``; a row whose files are not there is left out.

    Raises:
        UsageError: The table is missing, a row cannot be read, or two are of one file.
    """
    table = source / TABLE
    if not table.is_file():
        msg = f"a folder of nodule crops must hold {TABLE}, but {table} is not there"
        raise UsageError(msg)
    nodules: dict[str, NoduleFiles] = {}
    left_out = []
    with table.open(newline="", encoding="utf-8-sig") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                nodule = _nodule(row, source)
            except (KeyError, TypeError, ValueError) as error:
                msg = f"{table}, line {number}: {error!r}; the columns of lidc-nodules are needed"
                raise UsageError(msg) from error
            if nodule.series_uid in nodules:
                msg = f"{table}, line {number}: {nodule.series_uid} is there a second time"
                raise UsageError(msg)
            nodules[nodule.series_uid] = nodule
    for nodule in list(nodules.values()):
        gone = [path for path in (nodule.ct, nodule.mask) if not path.is_file()]
        if gone:
            del nodules[nodule.series_uid]
            msg = f"{gone[0]}, which {TABLE} names, is not there"
            left_out.append(
                ExcludedCase(name=nodule.series_uid, reason="unreadable", message=msg, failed=True)
            )
    return DatasetContents(list(nodules.values()), left_out)


def on_working_grid(
    hu: NDArray[np.int16], inside: NDArray[np.bool_], affine: NDArray[np.float64]
) -> tuple[WorkingVolume, NDArray[np.uint8]]:
    """Resamples an upright crop to `SPACING_MM`, with `RIM_MM` more at both ends of z.

    There the end slices are repeated and the mask ends, within one slice distance, so that
    every nodule ends inside its case and keeps its volume.

    Args:
        hu: ``[z, y, x]``.
        inside: Same shape: the nodule.
        affine: Maps (x, y, z) indices to LPS mm.

    Returns:
        The volume, all of it search mask and none of it lung, and uint8 of its shape: how much
        of each voxel is nodule, in parts of 255.
    """
    native_mm = np.linalg.norm(affine[:3, :3], axis=0)
    first_xyz = np.array([0.0, 0.0, -RIM_MM / native_mm[2]])
    x, y, z = (
        np.arange(first, size - 1 - first + 1e-6, SPACING_MM / step)
        for first, size, step in zip(first_xyz, hu.shape[::-1], native_mm, strict=True)
    )
    last = hu.shape[0] - 1
    full = np.pad(inside * np.int16(FULL_VOXEL), ((1, 1), (0, 0), (0, 0)))
    nodule = resample_separable(full, (np.clip(z, -1, last + 1) + 1, y, x), threads=1)
    working_affine = affine.copy()
    working_affine[:3, :3] *= SPACING_MM / native_mm
    working_affine[:3, 3] = affine[:3, :3] @ first_xyz + affine[:3, 3]
    volume = WorkingVolume(
        hu=resample_separable(hu, (np.clip(z, 0, last), y, x), threads=1),
        lung_labels=np.zeros(nodule.shape, dtype=np.uint8),
        search_mask=np.ones(nodule.shape, dtype=np.bool_),
        affine=working_affine,
    )
    return volume, nodule.astype(np.uint8)


def _nodule(row: dict[str, str], folder: Path) -> NoduleFiles:
    name = row["file"]
    return NoduleFiles(
        ct=folder / f"{name}_ct.nii.gz",
        mask=folder / f"{name}_mask.nii.gz",
        name=name,
        source_series_uid=row["seriesuid"],
        patient_id=row["patient_id"],
        finding=KnownFinding(
            (float(row["x_mm"]), float(row["y_mm"]), float(row["z_mm"])),
            float(row["diameter_mm"]),
            readers=int(row["readers"]),
            malignancy=float(row["malignancy"]),
            texture=float(row["texture"]),
            spiculation=float(row["spiculation"]),
            calcification=float(row["calcification"]),
        ),
    )


def _read(path: Path) -> Volume:
    """A whole NIfTI file, its world turned to LPS."""
    from nibabel import Nifti1Image
    from nibabel.filebasedimages import ImageFileError

    try:
        image = Nifti1Image.from_filename(path)
        voxels_xyz = np.asarray(image.dataobj)
    except (ImageFileError, EOFError, OSError, ValueError, zlib.error) as error:
        msg = f"{path} cannot be read as NIfTI: {error}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    hu = np.ascontiguousarray(np.rint(voxels_xyz).astype(np.int16).transpose(2, 1, 0))
    return Volume(hu, _RAS_TO_LPS @ image.affine, SeriesFacts("", path.name))
