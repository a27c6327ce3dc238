"""Real nodules with their readers' masks: the form of the `lidc-nodules` folder.

A folder holds ``nodules.csv`` and, for each row, ``<file>_ct.nii.gz`` (HU) and
``<file>_mask.nii.gz`` (the readers' majority), cut closely around the nodule.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.case import FULL_VOXEL, CaseOrigin, KnownFinding, PreparedCase
from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.fingerprints import (
    files_fingerprint,
    findings_sha256,
    voxels_sha256,
)
from hounsfield.data.readers.dataset import DatasetContents
from hounsfield.data.readers.label_checks import label_fault
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.files.delimited import Aliases, Table, read_table
from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.safety_net import as_series_error
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from hounsfield.preprocessing.working_volume import WorkingVolume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TABLE = "nodules.csv"
MAX_BYTES = 64 * 2**20
"""Of an unpacked file; one of 44 x 44 x 20 voxels has 0.1 MB."""

SPACING_MM = 1.0
RIM_MM = 6.0
"""Extent of a case beyond its crop at both ends of z, where the end slices are repeated."""

_NUMBERS = (
    "x_mm",
    "y_mm",
    "z_mm",
    "diameter_mm",
    "malignancy",
    "texture",
    "spiculation",
    "calcification",
)
_COLUMNS: Aliases = dict.fromkeys(("file", "patient_id", "seriesuid", *_NUMBERS, "readers"), ())

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, slots=True)
class NoduleFiles:
    """The row and the files of one nodule: a `CaseSource`."""

    ct: Path
    mask: Path
    name: str
    source_series_uid: str
    patient_id: str
    finding: KnownFinding
    fold: None = None

    @property
    def series_uid(self) -> str:
        """The series and the nodule's file: a series may have several nodules."""
        return f"{self.source_series_uid}.{self.name}"

    @property
    def fingerprint(self) -> str:
        """Changes when the row or a file does."""
        files = files_fingerprint([self.ct, self.mask])
        return f"{self.patient_id} {findings_sha256([self.finding])} {files}"

    def native(self) -> tuple[Volume, NDArray[np.bool_]]:
        """Reads the crop on its native grid, and the nodule's voxels in it.

        Raises:
            SeriesError: A file is damaged, or files and row do not fit together.
        """
        ct, mask = _read(self.ct), _read(self.mask)
        if ct.shape_zyx != mask.shape_zyx or not np.allclose(ct.affine, mask.affine, atol=1e-3):
            msg = f"The mask must lie on the grid of {self.ct.name}, but lies on another"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=self.mask)
        # A crop may end within its nodule, and the readers' mean centre lies a little outside.
        if fault := label_fault(self.finding, ct, margin_voxels=1.0):
            msg = f"The file must hold its nodule, but {TABLE} has another: {fault}"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=self.ct)
        return ct, mask.hu > 0

    def make(self) -> PreparedCase:
        """Resamples the crop to the working grid, extended along z, where it is short.

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
    """Reads ``nodules.csv``; a row whose files are missing is excluded.

    Args:
        source: The folder of the table and the files.

    Returns:
        One case per nodule.

    Raises:
        UsageError: The table is missing, a row cannot be read, or two rows name one file.
    """
    table = source / TABLE
    if not table.is_file():
        msg = f"a folder of nodule crops must hold {TABLE}, but {table} is not there"
        raise UsageError(msg)
    rows = read_table(table, _COLUMNS, positional=False)
    nodules: dict[str, NoduleFiles] = {}
    for nodule, number in zip(_nodules(rows, source), rows.row_numbers, strict=True):
        if nodule.series_uid in nodules:
            msg = f"{table}, row {number}: {nodule.series_uid} is listed twice"
            raise UsageError(msg)
        nodules[nodule.series_uid] = nodule
    excluded = []
    for nodule in list(nodules.values()):
        absent = [path for path in (nodule.ct, nodule.mask) if not path.is_file()]
        if absent:
            del nodules[nodule.series_uid]
            msg = f"{absent[0]}, which {TABLE} names, is missing"
            excluded.append(
                ExcludedCase(name=nodule.series_uid, reason="unreadable", message=msg, failed=True)
            )
    return DatasetContents(list(nodules.values()), excluded)


def on_working_grid(
    hu: NDArray[np.int16], inside: NDArray[np.bool_], affine: NDArray[np.float64]
) -> tuple[WorkingVolume, NDArray[np.uint8]]:
    """Resamples an upright crop to `SPACING_MM`, with `RIM_MM` more at both ends of z.

    Beyond the crop its end slices are repeated, and the mask ends within one slice distance, so
    that every nodule ends inside its case and keeps its volume.

    Args:
        hu: int16, ``[z, y, x]``, x to the left, y to the back, z to the head.
        inside: Mask of the nodule, same shape.
        affine: 4 x 4, maps (x, y, z) indices to LPS mm.

    Returns:
        The volume, all of it search mask and none of it lung; and uint8 of its shape: fraction of
        each voxel that is nodule, in parts of 255.
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


def _nodules(rows: Table, folder: Path) -> list[NoduleFiles]:
    """One nodule for each row."""
    numbers = {name: rows.finite_numbers(name).tolist() for name in _NUMBERS}
    readers = rows.integers("readers").tolist()
    return [
        NoduleFiles(
            ct=folder / f"{name}_ct.nii.gz",
            mask=folder / f"{name}_mask.nii.gz",
            name=name,
            source_series_uid=rows.columns["seriesuid"][index],
            patient_id=rows.columns["patient_id"][index],
            finding=KnownFinding(
                (numbers["x_mm"][index], numbers["y_mm"][index], numbers["z_mm"][index]),
                numbers["diameter_mm"][index],
                readers=readers[index],
                malignancy=numbers["malignancy"][index],
                texture=numbers["texture"][index],
                spiculation=numbers["spiculation"][index],
                calcification=numbers["calcification"][index],
            ),
        )
        for index, name in enumerate(rows.columns["file"])
    ]


def _read(path: Path) -> Volume:
    """Reads a whole NIfTI file, its checksum too, and converts its world to LPS."""
    from nibabel import Nifti1Image

    with as_series_error(path, "The NIfTI file", remedy="download it again", quotes_library=True):
        with gzip.open(path) as file:
            content = file.read(MAX_BYTES + 1)
        image = Nifti1Image.from_bytes(content)
        if len(content) > MAX_BYTES or np.prod(image.shape, dtype=float) > MAX_BYTES:
            size = " x ".join(map(str, image.shape))
            msg = f"The file must be a crop around a nodule, but holds {size} voxels"
            raise SeriesError(Reason.IMPOSSIBLE_SIZE, msg)
        values = np.rint(np.asarray(image.dataobj, dtype=np.float32))
        limits = np.iinfo(np.int16)
        if image.ndim != 3 or not ((values >= limits.min) & (values <= limits.max)).all():
            msg = "The file must hold one volume of HU from -32768 to 32767"
            raise SeriesError(Reason.HU_UNKNOWN, msg)
        hu = np.ascontiguousarray(values.astype(np.int16).transpose(2, 1, 0))
        return Volume(hu, _RAS_TO_LPS @ image.affine, SeriesFacts("", path.name))
