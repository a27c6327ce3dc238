"""A CT series with what a data set tells of it, and how it becomes a prepared case."""

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
    """What is known to lie in a series.

    Attributes:
        outlined: The voxels of its nodules; None where there are no outlines.
        candidates: As in `data.prepared.PreparedCase`.
    """

    findings: tuple[KnownFinding, ...]
    outlined: VoxelRegion | None = None
    candidates: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """A series of a data set that can be prepared: a `data.datasets.CaseSource`.

    Attributes:
        patient_id: What splits are made by.
        labels: What is known to lie in the series, given its volume; raises `SeriesError` where
            the labels do not fit.
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
        """Changes when a file of the series or its labels do."""
        files = files_fingerprint({source.path for source in self.series.sources})
        told = f"{self.patient_id} {files} {self.labels_fingerprint}"
        return hashlib.sha256(told.encode()).hexdigest()

    def make(self) -> PreparedCase:
        """Reads the series and brings it and its labels to the working grid.

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
        )


def region_mask(region: VoxelRegion, volume: Volume, working: WorkingVolume) -> NDArray[np.uint8]:
    """Brings a region of a volume to the working grid made of it.

    Returns:
        uint8, the shape of `working`: how much of each voxel lies in the region, in parts of
        255.
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
