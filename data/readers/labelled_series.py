"""A CT series with its annotations, which becomes a prepared case."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.case import FULL_VOXEL, CaseOrigin, PreparedCase
from hounsfield.data.prepared.fingerprints import files_fingerprint, voxels_sha256
from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.volume import Volume
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.data.annotations.voxel_regions import VoxelRegion
    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.working_volume import WorkingVolume


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The annotations of a series.

    Attributes:
        findings: The annotated findings, ignored ones included.
        outlined: The voxels of its nodules; None without outlines.
        candidates: float64 (n, 4): x, y, z in LPS mm, and 1 for a nodule or 0 for none; None
            where the data set lists no candidates.
        left_out: A sentence for each label that does not fit the series, with its row.
    """

    findings: tuple[KnownFinding, ...]
    outlined: VoxelRegion | None = None
    candidates: NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """A series of a data set that can be prepared: a `CaseSource`.

    Attributes:
        series: The series, not yet read.
        patient_id: The split keeps all series of a patient in one fold.
        labels: Gives the annotations of the series from its volume; raises `SeriesError` where
            they do not fit.
        labels_fingerprint: Changes when the labels do.
        fold: The data set's own subset, from 0; None where it has none.
    """

    series: Series
    patient_id: str
    labels: Callable[[Volume], Labels]
    labels_fingerprint: str
    fold: int | None = None

    @property
    def series_uid(self) -> str:
        """SeriesInstanceUID, or the stem of a MetaImage."""
        return self.series.facts.series_uid

    @property
    def fingerprint(self) -> str:
        """Changes when a file of the series changes, or its labels do."""
        files = files_fingerprint({source.path for source in self.series.sources})
        identity = f"{self.patient_id} {files} {self.labels_fingerprint}"
        return hashlib.sha256(identity.encode()).hexdigest()

    def make(self) -> PreparedCase:
        """Reads the series and resamples it and its labels to the working grid.

        Raises:
            SeriesError: It cannot be read, or its labels do not fit.
        """
        volume = read_volume(self.series)
        labels = self.labels(volume)
        working = to_working_volume(volume, find_lungs(volume))
        outlined = labels.outlined
        return PreparedCase(
            self.series_uid,
            self.patient_id,
            working,
            labels.findings,
            synthetic=False,
            origin=CaseOrigin(voxels_sha256(volume.hu)),
            nodule_mask=None if outlined is None else region_mask(outlined, volume, working),
            candidates=labels.candidates,
            left_out=labels.left_out,
        )


def region_mask(region: VoxelRegion, volume: Volume, working: WorkingVolume) -> NDArray[np.uint8]:
    """Resamples a region to the working grid.

    Args:
        region: Voxels of `volume`, such as all its nodules.
        volume: The native volume, in any orientation.
        working: The working volume made from `volume`.

    Returns:
        uint8, shape of `working`: fraction of each voxel inside the region, in parts of 255.
    """
    native = np.zeros(volume.shape_zyx, dtype=np.int16)
    native.ravel()[region.flat] = FULL_VOXEL
    upright, affine = upright_view(Volume(native, volume.affine.copy(), volume.series))
    # Both grids have the same axes, so one is a scale and a shift of the other.
    to_native = np.linalg.inv(affine) @ working.affine
    shape_xyz = working.hu.shape[::-1]
    x, y, z = (
        to_native[axis, axis] * np.arange(shape_xyz[axis]) + to_native[axis, 3] for axis in range(3)
    )
    return resample_separable(upright, (z, y, x)).clip(0, FULL_VOXEL).astype(np.uint8)
