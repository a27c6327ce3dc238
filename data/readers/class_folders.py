"""One folder per class, the form of many histology data sets: volumes cut around one lesion."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.nodules.spec import HISTOLOGIES
from hounsfield.data.prepared.case import CaseOrigin, KnownFinding, PreparedCase
from hounsfield.data.prepared.fingerprints import files_fingerprint, voxels_sha256
from hounsfield.data.readers.dataset import UNKNOWN_DIAMETER_MM, DatasetContents, usable_ct
from hounsfield.data.readers.nodule_crop_files import on_working_grid
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.series import SeriesFormat
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.series import Series

MAX_MM = 160.0
"""A volume wider than this in the plane is a chest, not the surroundings of one lesion."""

NORMAL = HISTOLOGIES[-1]


@dataclass(frozen=True, slots=True)
class ClassedVolume:
    """A volume in the folder of its class: a `CaseSource`."""

    series: Series
    patient_id: str
    histology: str
    fold: None = None

    @property
    def series_uid(self) -> str:
        """SeriesInstanceUID; for other formats class and file name: classes may share names."""
        uid = self.series.facts.series_uid
        dicom = self.series.format is SeriesFormat.DICOM
        return uid if dicom else f"{self.histology}.{uid}"

    @property
    def fingerprint(self) -> str:
        """Changes when a file does."""
        files = files_fingerprint({source.path for source in self.series.sources})
        return hashlib.sha256(f"{self.patient_id} {self.histology} {files}".encode()).hexdigest()

    def make(self) -> PreparedCase:
        """Prepares a small volume with the lesion in its middle, or a normal chest without any.

        Raises:
            SeriesError: It cannot be read, or it is a chest in which the lesion's position is
                unknown.
        """
        volume = read_volume(self.series)
        z, y, x = volume.shape_zyx
        width_mm = float(max(np.multiply((x, y), volume.spacing_mm[:2])))
        findings: tuple[KnownFinding, ...] = ()
        if width_mm <= MAX_MM:
            hu, affine = upright_view(volume)
            working, _ = on_working_grid(hu, np.zeros(hu.shape, bool), affine)
            middle = volume.world_mm((np.array((x, y, z)) - 1) / 2).tolist()
            centre = (middle[0], middle[1], middle[2])
            findings = (KnownFinding(centre, UNKNOWN_DIAMETER_MM, histology=self.histology),)
        elif self.histology == NORMAL:
            working = to_working_volume(volume, find_lungs(volume))
        else:
            msg = (
                f"The volume is {width_mm:.0f} mm wide, a chest: give the position of its "
                f"{self.histology} in a table, see `hounsfield prepare ct-table`"
            )
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=self.series.path)
        return PreparedCase(
            self.series_uid,
            self.patient_id,
            working,
            findings,
            synthetic=False,
            origin=CaseOrigin(voxels_sha256(volume.hu)),
        )


def read_class_folders(source: Path) -> DatasetContents:
    """Finds the volumes in the folders that have the name of a class; other folders are skipped.

    Where a header names no patient, the first folder or file below the class does.

    Args:
        source: Holds a folder for each class, named like `HISTOLOGIES`.

    Returns:
        One case per volume.

    Raises:
        UsageError: No folder has the name of a class.
    """
    folders = [source / name for name in HISTOLOGIES if (source / name).is_dir()]
    if not folders:
        msg = f"{source} must hold folders named {', '.join(HISTOLOGIES)}, but holds none of them"
        raise UsageError(msg)
    cases, excluded = [], []
    for folder in folders:
        discovery = discover([folder])
        usable, unusable = usable_ct(discovery)
        excluded += unusable
        for series in [*usable, *filter(_is_small, discovery.series)]:
            name = series.path.relative_to(folder).parts[0].split(".")[0]
            patient_id = series.facts.patient_id or f"{folder.name}-{name}"
            cases.append(ClassedVolume(series, patient_id, folder.name))
    return DatasetContents(cases, excluded)


def _is_small(series: Series) -> bool:
    """Whether a series is rejected only because it is too small for a chest."""
    reason = None if series.rejection is None else series.rejection.reason
    return series.readable and reason in {Reason.TOO_FEW_SLICES, Reason.NOT_CHEST}
