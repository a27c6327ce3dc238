"""NSCLC-Radiomics (Lung1): DICOM series, tumours as RTSTRUCT or SEG, histology as a CSV.

Aerts et al. 2014, doi 10.1038/ncomms5006. ``GTV-1`` is the primary tumour, to which the table's
histology applies; further volumes are nodes or other tumours, which are ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.data.annotations.tumour_contours import read_tumours, referenced_series
from hounsfield.data.annotations.voxel_regions import VoxelRegion
from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.fingerprints import files_fingerprint
from hounsfield.data.readers.dataset import DatasetContents, excluded_by, usable_ct
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.files.delimited import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume

PRIMARY = "GTV-1"

HISTOLOGY_OF_CELL = {
    "adenocarcinoma": "adenocarcinoma",
    "large cell": "large_cell_carcinoma",
    "squamous cell carcinoma": "squamous_cell_carcinoma",
    "nos": "",
    "na": "",
    "": "",
}


@dataclass(frozen=True, slots=True)
class _TumourFile:
    """The file with a series' tumours, and its patient's histology."""

    path: Path
    histology: str

    def labels(self, volume: Volume) -> Labels:
        """Every tumour as a finding; the primary ones make the mask."""
        tumours = [
            (name.upper() == PRIMARY, region) for name, region in read_tumours(self.path, volume)
        ]
        findings = tuple(
            KnownFinding(
                region.centre_world_mm,
                region.diameter_mm,
                ignored=not primary,
                histology=self.histology if primary else "",
            )
            for primary, region in tumours
        )
        outlined = VoxelRegion.union([region for primary, region in tumours if primary], volume)
        return Labels(findings, outlined)


def read_nsclc_radiomics(source: Path) -> DatasetContents:
    """Finds the series, their tumours and the table.

    Where a series has both RTSTRUCT and SEG, the RTSTRUCT is used: the SEG was made from it.

    Args:
        source: A folder with any part of the download, in any arrangement of folders.

    Returns:
        One case per series with tumours.

    Raises:
        UsageError: There is not exactly one table with the columns PatientID and Histology, or it
            has an unknown histology.
    """
    discovery = discover([source])
    usable, excluded = usable_ct(discovery)
    _, histology_of = read_histology(source)
    tumours_of, unreadable = _tumour_files(discovery.series)
    excluded += unreadable
    labelled = []
    for series in usable:
        uid, patient = series.facts.series_uid, series.facts.patient_id
        if uid not in tumours_of:
            msg = f"no RTSTRUCT or SEG of the series {uid} is in the source"
            excluded.append(ExcludedCase(name=uid, reason="no_labels", message=msg, failed=False))
            continue
        tumours = _TumourFile(tumours_of[uid], histology_of.get(patient, ""))
        labelled.append(
            LabelledSeries(
                series=series,
                patient_id=patient,
                labels=tumours.labels,
                labels_fingerprint=f"{files_fingerprint([tumours.path])} {tumours.histology}",
            )
        )
    return DatasetContents(labelled, excluded)


def read_histology(source: Path) -> tuple[Path, dict[str, str]]:
    """Finds the clinical table, and reads the histology of each patient.

    Args:
        source: The table is at or below this folder.

    Returns:
        The path of the table, and the histology by PatientID, empty where unknown.

    Raises:
        UsageError: There is not exactly one such table, or it has an unknown histology.
    """
    tables = [path for path in sorted(source.rglob("*.csv")) if _is_clinical(path)]
    if len(tables) != 1:
        msg = f"{source} must hold one CSV with PatientID and Histology, but holds {len(tables)}"
        raise UsageError(msg)
    table = read_table(tables[0], {"PatientID": (), "Histology": ()}, positional=False)
    histology_of = {}
    for index, patient_id in enumerate(table.columns["PatientID"]):
        histology = HISTOLOGY_OF_CELL.get(table.columns["Histology"][index].lower())
        if histology is None:
            known = ", ".join(filter(None, HISTOLOGY_OF_CELL))
            raise table.cell_error(index, "Histology", f"one of {known} or empty")
        histology_of[patient_id] = histology
    return tables[0], histology_of


def _is_clinical(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        names = {cell.strip().strip('"') for cell in re.split("[,\t]", stream.readline())}
    return {"PatientID", "Histology"} <= names


def _tumour_files(series: Sequence[Series]) -> tuple[dict[str, Path], list[ExcludedCase]]:
    """The RTSTRUCT (else the SEG) of each CT series by its UID."""
    path_of: dict[str, Path] = {}
    excluded = []
    for modality in ("SEG", "RTSTRUCT"):
        for candidate in series:
            if candidate.facts.modality != modality:
                continue
            for source in candidate.sources:
                try:
                    path_of[referenced_series(source.path)] = source.path
                except SeriesError as error:
                    excluded.append(excluded_by(str(source.path), error))
    return path_of, excluded
