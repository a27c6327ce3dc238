"""Brings a data set into the form that training reads: cases, a table of findings, a split."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from data.datasets import LeftOut, failure
from data.lidc_idri import read_lidc_idri
from data.luna16 import read_luna16
from data.lung_pet_ct_dx import read_lung_pet_ct_dx
from data.nsclc_radiomics import read_nsclc_radiomics
from data.prepared_folder import PreparationReport, PreparedFolder
from data.splits import is_kept_for_examination
from preprocessing.errors import SeriesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from data.datasets import DatasetContents, LabelledSeries

DATASETS: Mapping[str, Callable[[Path], DatasetContents]] = {
    "luna16": read_luna16,
    "lidc-idri": read_lidc_idri,
    "lung-pet-ct-dx": read_lung_pet_ct_dx,
    "nsclc-radiomics": read_nsclc_radiomics,
}


def prepare(
    dataset: str,
    source: Path,
    out: Path,
    *,
    include_held_out: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PreparationReport:
    """Prepares every usable series of a data set; what cannot be used is told and left out.

    A series whose files and labels are unchanged since it was last prepared is kept as it is,
    so a call that was stopped goes on, and a download may grow. Series prepared before whose
    source is gone stay.

    Args:
        dataset: One of `DATASETS`.
        source: The downloaded files, in any arrangement of folders.
        out: A folder, made where it is missing: ``cases/*.npz``, ``findings.csv``,
            ``split.json``, ``preparation.json``.
        include_held_out: Prepares also the patients kept for this project's final examination.
        progress: Called with how many series are done, and of how many.

    Raises:
        UsageError: The data set is unknown, the source is not a folder or lacks its tables, or
            `out` holds another data set.
        OSError: `out` cannot be written.
    """
    if dataset not in DATASETS:
        msg = f"the data set must be one of {', '.join(DATASETS)}, got {dataset!r}"
        raise UsageError(msg)
    if not source.is_dir():
        msg = f"{source} must be the folder of a download, but is none"
        raise UsageError(msg)
    folder = PreparedFolder(out, dataset)
    contents = DATASETS[dataset](source)
    left_out = list(contents.left_out)
    made: Counter[str] = Counter()
    for count, labelled in enumerate(contents.series, start=1):
        refusal = _refusal(labelled, include_held_out=include_held_out)
        if refusal is None:
            try:
                made[folder.take(labelled)] += 1
            except SeriesError as error:
                refusal = failure(labelled.series_uid, error)
        if refusal is not None:
            folder.drop(labelled.series_uid)
            left_out.append(refusal)
        if progress is not None:
            progress(count, len(contents.series))
    return folder.close(made, left_out)


def _refusal(labelled: LabelledSeries, *, include_held_out: bool) -> LeftOut | None:
    """Why a series is not even looked at."""
    uid = labelled.series_uid
    if not labelled.patient_id:
        msg = f"{uid} has no PatientID (0010,0020): it could be on both sides of a split"
        return LeftOut(name=uid, reason="no_labels", message=msg, failed=True)
    if is_kept_for_examination(labelled.patient_id) and not include_held_out:
        msg = f"{uid} is of {labelled.patient_id}, who is kept for the final examination"
        return LeftOut(name=uid, reason="held_out", message=msg, failed=False)
    return None
