"""Brings a data set into the form that training reads: cases, a table of findings, a split."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hounsfield.data.prepared.folder import PreparationReport, PreparedFolder
from hounsfield.data.prepared.splits import is_held_out
from hounsfield.data.readers.class_folders import read_class_folders
from hounsfield.data.readers.ct_table import read_ct_table
from hounsfield.data.readers.dataset import ExcludedCase, failure
from hounsfield.data.readers.lidc_idri import read_lidc_idri
from hounsfield.data.readers.luna16 import read_luna16
from hounsfield.data.readers.lung_pet_ct_dx import read_lung_pet_ct_dx
from hounsfield.data.readers.nodule_crop_files import read_nodule_crops
from hounsfield.data.readers.nsclc_radiomics import read_nsclc_radiomics
from hounsfield.data.readers.phantoms import read_phantoms
from hounsfield.preprocessing.errors import SeriesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hounsfield.data.readers.dataset import CaseSource, DatasetContents

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
"""Data sets whose source is a file; of all others it is a folder."""


def prepare(
    dataset: str,
    source: Path,
    out: Path,
    *,
    include_held_out: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PreparationReport:
    """Prepares every usable case of a data set; what cannot be used is told and left out.

    A case whose files and labels are unchanged since it was last prepared is kept as it is, so
    a call that was stopped goes on, and a download may grow. Cases prepared before whose source
    is gone stay.

    Args:
        dataset: One of `DATASETS`.
        source: The downloaded files, in any arrangement of folders; the file that tells the
            cases where the data set is one of `FROM_ONE_FILE`.
        out: A folder, made where it is missing: ``cases/``, ``findings.csv``, ``split.json``,
            ``preparation.json``.
        include_held_out: Prepares also the patients kept for this project's final examination.
        progress: Called with how many cases are done, and of how many.

    Raises:
        UsageError: The data set is unknown, the source is not there or lacks its tables, or
            `out` holds another data set.
        OSError: `out` cannot be written.
    """
    if dataset not in DATASETS:
        msg = f"the data set must be one of {', '.join(DATASETS)}, got {dataset!r}"
        raise UsageError(msg)
    if dataset in FROM_ONE_FILE and not source.is_file():
        msg = f"{source} must be the file that tells the cases of {dataset}, but is none"
        raise UsageError(msg)
    if dataset not in FROM_ONE_FILE and not source.is_dir():
        msg = f"{source} must be the folder of a download, but is none"
        raise UsageError(msg)
    folder = PreparedFolder(out, dataset)
    contents = DATASETS[dataset](source)
    left_out = list(contents.left_out)
    made: Counter[str] = Counter()
    for count, case in enumerate(contents.cases, start=1):
        refusal = _refusal(case, include_held_out=include_held_out)
        if refusal is None:
            try:
                made[folder.take(case)] += 1
            except SeriesError as error:
                refusal = failure(case.series_uid, error)
        if refusal is not None:
            folder.drop(case.series_uid)
            left_out.append(refusal)
        if progress is not None:
            progress(count, len(contents.cases))
    return folder.close(made, left_out)


def _refusal(case: CaseSource, *, include_held_out: bool) -> ExcludedCase | None:
    """Why a case is not even looked at."""
    uid = case.series_uid
    if not case.patient_id:
        msg = f"{uid} has no PatientID (0010,0020): it could be on both sides of a split"
        return ExcludedCase(name=uid, reason="no_labels", message=msg, failed=True)
    if is_held_out(case.patient_id) and not include_held_out:
        msg = f"{uid} is of {case.patient_id}, who is kept for the final examination"
        return ExcludedCase(name=uid, reason="held_out", message=msg, failed=False)
    return None
