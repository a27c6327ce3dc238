"""NSCLC-Radiomics (Lung1): DICOM series, tumours as RTSTRUCT or SEG, histology as a CSV.

Aerts et al. 2014, doi 10.1038/ncomms5006. ``GTV-1`` is the primary tumour, whose histology the
table tells; further volumes are nodes or other tumours, to be ignored.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.data.annotations.tumour_contours import read_tumours, referenced_series
from hounsfield.data.annotations.voxel_regions import VoxelRegion
from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.prepared.fingerprints import files_fingerprint
from hounsfield.data.readers.dataset import DatasetContents, ExcludedCase, failure, usable_ct
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError, UsageError

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
    """The file of a series' tumours, and its patient's histology."""

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
    """Finds the series, their tumours and the table, wherever they lie under `source`.

    Where a series has both, the RTSTRUCT is used: the SEG was made of it.

    Raises:
        UsageError: There is not one table with the columns PatientID and Histology, or it has
            an unknown histology.
    """
    found = discover([source])
    usable, left_out = usable_ct(found)
    _, histology_of = read_histology(source)
    tumours_of, unreadable = _tumour_files(found.series)
    left_out += unreadable
    labelled = []
    for series in usable:
        uid, patient = series.facts.series_uid, series.facts.patient_id
        if uid not in tumours_of:
            msg = f"no RTSTRUCT or SEG of the series {uid} is in the source"
            left_out.append(ExcludedCase(name=uid, reason="no_labels", message=msg, failed=False))
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
    return DatasetContents(labelled, left_out)


def read_histology(source: Path) -> tuple[Path, dict[str, str]]:
    """Finds the clinical table, and reads the histology of each patient.

    Raises:
        UsageError: There is not one such table, or it has an unknown histology.
    """
    tables = [path for path in sorted(source.rglob("*.csv")) if _is_clinical(path)]
    if len(tables) != 1:
        msg = f"{source} must hold one CSV with PatientID and Histology, but holds {len(tables)}"
        raise UsageError(msg)
    histology_of = {}
    with tables[0].open(newline="", encoding="utf-8-sig") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            cell = (row["Histology"] or "").strip().lower()
            if cell not in HISTOLOGY_OF_CELL:
                msg = (
                    f"{tables[0]}, line {number}: Histology must be one of "
                    f"{', '.join(filter(None, HISTOLOGY_OF_CELL))}, got {cell!r}"
                )
                raise UsageError(msg)
            histology_of[row["PatientID"]] = HISTOLOGY_OF_CELL[cell]
    return tables[0], histology_of


def _is_clinical(path: Path) -> bool:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        header = next(csv.reader(stream), [])
    return {"PatientID", "Histology"} <= set(header)


def _tumour_files(series: Sequence[Series]) -> tuple[dict[str, Path], list[ExcludedCase]]:
    """The RTSTRUCT (else the SEG) of each CT series by its UID."""
    found: dict[str, Path] = {}
    left_out = []
    for modality in ("SEG", "RTSTRUCT"):
        for one in series:
            if one.facts.modality != modality:
                continue
            for source in one.sources:
                try:
                    found[referenced_series(source.path)] = source.path
                except SeriesError as error:
                    left_out.append(failure(str(source.path), error))
    return found, left_out
