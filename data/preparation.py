"""Converts a data set into the form that training reads: cases, a findings table, a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.folder import PreparationReport, PreparedFolder
from hounsfield.data.prepared.held_out import HeldOutPatients, held_out_file, read_held_out
from hounsfield.data.readers.class_folders import read_class_folders
from hounsfield.data.readers.ct_table import read_ct_table
from hounsfield.data.readers.dataset import excluded_by
from hounsfield.data.readers.lidc_idri import read_lidc_idri
from hounsfield.data.readers.luna16 import read_luna16
from hounsfield.data.readers.lung_pet_ct_dx import read_lung_pet_ct_dx
from hounsfield.data.readers.nodule_crop_files import read_nodule_crops
from hounsfield.data.readers.nsclc_radiomics import read_nsclc_radiomics
from hounsfield.data.readers.phantoms import read_phantoms
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hounsfield.data.prepared.case_source import CaseSource
    from hounsfield.data.readers.dataset import DatasetContents

DATASETS: Mapping[str, Callable[[Path], DatasetContents]] = {
    "luna16": read_luna16,
    "lidc-idri": read_lidc_idri,
    "lung-pet-ct-dx": read_lung_pet_ct_dx,
    "nsclc-radiomics": read_nsclc_radiomics,
    "nodule-crops": read_nodule_crops,
    "phantoms": read_phantoms,
    "ct-table": read_ct_table,
    "class-folders": read_class_folders,
}

FROM_ONE_FILE = frozenset({"phantoms", "ct-table"})
"""Data sets whose source is a file; the source of all others is a folder."""


def prepare(
    dataset: str,
    source: Path,
    out: Path,
    *,
    held_out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PreparationReport:
    """Prepares every usable case of a data set; the rest is excluded with a reason.

    A case whose files and labels are unchanged since it was last prepared is kept, so an
    interrupted call resumes and a download may grow. A damaged case is prepared again. Cases
    whose source has been deleted stay.

    Args:
        dataset: A name from `DATASETS`.
        source: The downloaded files, in any arrangement of folders; for the data sets of
            `FROM_ONE_FILE` the file that lists the cases.
        out: A folder, created where it is missing: ``cases/``, ``findings.csv``, ``split.json``,
            ``preparation.json``.
        held_out: Excludes patients: a file such as ``configs/data/held_out.yaml``, or its name
            without folder and suffix. None prepares all patients.
        progress: Called with the number of finished cases and the number of all.

    Returns:
        The outcome, which is also written to ``preparation.json``.

    Raises:
        UsageError: The data set is unknown, the source or its tables are missing, `out` holds
            another data set, or `held_out` cannot be read.
        OutputError: A file in `out` cannot be written.
        OSError: `out` cannot be created.
    """
    if dataset not in DATASETS:
        msg = f"the data set must be one of {', '.join(DATASETS)}, got {dataset!r}"
        raise UsageError(msg)
    if dataset in FROM_ONE_FILE and not source.is_file():
        msg = f"the source of {dataset} must be the file that lists its cases, got {source}"
        raise UsageError(msg)
    if dataset not in FROM_ONE_FILE and not source.is_dir():
        msg = f"the source of {dataset} must be the folder of a download, got {source}"
        raise UsageError(msg)
    patients = HeldOutPatients() if held_out is None else read_held_out(held_out)
    folder = PreparedFolder(out, dataset)
    folder.drop_patients(patients)
    contents = DATASETS[dataset](source)
    excluded = list(contents.excluded)
    for count, case in enumerate(contents.cases, start=1):
        refusal = _refusal(case, patients, held_out)
        if refusal is None:
            try:
                with as_series_error(
                    subject=f"The case of {dataset}",
                    remedy="download it again",
                    quotes_library=True,
                ):
                    folder.take(case)
            except SeriesError as error:
                refusal = excluded_by(case.series_uid, error)
        if refusal is not None:
            folder.drop(case.series_uid)
            excluded.append(refusal)
        if progress is not None:
            progress(count, len(contents.cases))
    return folder.close(excluded)


def _refusal(
    case: CaseSource, patients: HeldOutPatients, held_out: str | Path | None
) -> ExcludedCase | None:
    """The reason for which a case is excluded without being read."""
    uid = case.series_uid
    if not case.patient_id:
        msg = f"{uid} has no PatientID (0010,0020): it could be on both sides of a split"
        return ExcludedCase(name=uid, reason="no_labels", message=msg, failed=True)
    if held_out is not None and case.patient_id in patients:
        msg = f"{uid} is of {case.patient_id}, held out by {held_out_file(held_out)}"
        return ExcludedCase(name=uid, reason="held_out", message=msg, failed=False)
    return None
