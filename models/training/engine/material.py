"""Training material: prepared series and nodules of one part of the split."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from hounsfield.data.prepared.case import load_case
from hounsfield.data.prepared.nodule_crops import as_crop
from hounsfield.data.prepared.splits import case_files, check_no_leak, read_split
from hounsfield.models.store.manifest import TrainingMaterial
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.data.prepared.splits import Part, SplitEntry
    from hounsfield.models.training.engine.configuration import DataConfig


_TCIA = "The Cancer Imaging Archive"
SOURCES = {
    "luna16": ("LUNA16", "CC BY 4.0, Setio et al. 2017"),
    "lidc-idri": ("LIDC-IDRI", f"CC BY 3.0, Armato et al. 2011 and 2015, {_TCIA}"),
    "lung-pet-ct-dx": ("Lung-PET-CT-Dx", f"CC BY 4.0, Li et al. 2020, {_TCIA}"),
    "nsclc-radiomics": ("NSCLC-Radiomics", f"CC BY-NC 3.0, Aerts et al. 2014, {_TCIA}"),
    "nodule-crops": (
        "LIDC-IDRI nodules with the readers' outlines",
        f"CC BY 3.0, Armato et al. 2011 and 2015, {_TCIA}",
    ),
    "ct-table": ("CT series with a table of findings", "that of each series"),
    "class-folders": ("volumes in a folder for each class", "that of each volume"),
    "phantoms": ("phantoms with synthetic nodules", "Apache-2.0"),
}
"""Name and licence of each data set that `hounsfield prepare` knows."""

_SERIES = "series with their findings; doubtful places were left out"
_NODULES = "nodules, put into lungs"
_CALIBRATION = "series for calibration only, not trained on"


def read_cases(data: DataConfig, part: Part) -> list[PreparedCase]:
    """Reads the series of one part of the split; their arrays are memory-mapped.

    Args:
        data: Its `cases` are read, without its held-out patients.
        part: "training", "validation" or "test", by `data.fold`.

    Returns:
        The series in the order of the folders.

    Raises:
        UsageError: A folder cannot be read, or the folders together leak between the parts.
    """
    return _read(data, part, data.cases)


def read_nodules(data: DataConfig, part: Part) -> list[NoduleCrop]:
    """Reads the single nodules of one part of the split.

    Args:
        data: Its `nodules` are read, without its held-out patients.
        part: "training", "validation" or "test", by `data.fold`.

    Returns:
        The nodules in the order of the folders.

    Raises:
        UsageError: A folder cannot be read, or the folders together leak between the parts.
    """
    return [as_crop(case) for case in _read(data, part, data.nodules)]


def read_calibration(data: DataConfig) -> list[PreparedCase]:
    """Reads the series for calibration, whatever their folds.

    Args:
        data: Its `calibration` is read, without its held-out patients.

    Returns:
        The series in the order of the folders.

    Raises:
        UsageError: A folder cannot be read, or one holds a patient or the voxels of the training
            folders.
    """
    others = [entry for folder in (*data.cases, *data.nodules) for entry in _entries(folder)]
    own = [entry for folder in data.calibration for entry in _entries(folder)]
    trained_on = {entry.patient_id for entry in others}
    if shared := sorted(trained_on & {entry.patient_id for entry in own}):
        msg = (
            f"data.calibration: {len(shared)} patient(s) are in data.cases or data.nodules too, "
            f"such as {shared[0]}; use patients that are not trained on"
        )
        raise UsageError(msg)
    check_no_leak([*others, *own])
    return [case for folder in data.calibration for case in _all_folds(data, folder)]


def held_out_cases(data: DataConfig) -> list[PreparedCase]:
    """Reads the series to validate and to set thresholds on: those of the validation fold.

    Where the fold holds no real series, the real training series stand in, with nodules of other
    patients inserted: thresholds set on phantoms alone do not hold for patients.

    Args:
        data: Its `cases` are read, without its held-out patients.

    Returns:
        At least one series.

    Raises:
        UsageError: There is none, or a folder cannot be read.
    """
    cases = read_cases(data, "validation")
    if not any(not case.synthetic for case in cases):
        cases += [case for case in read_cases(data, "training") if not case.synthetic]
    return require_cases(cases)


def require_cases(cases: list[PreparedCase]) -> list[PreparedCase]:
    """Returns the series unchanged, or refuses an empty list.

    Args:
        cases: Series of the training or the validation fold.

    Raises:
        UsageError: There is none.
    """
    if not cases:
        msg = "data.cases must hold series in the training folds and in the validation fold"
        raise UsageError(msg)
    return cases


def require_nodules(
    cases: Sequence[PreparedCase], nodules: Sequence[NoduleCrop], *, part: Part
) -> None:
    """Refuses material without a single nodule: a training on it would end, and have learnt none.

    Args:
        cases: Series of one part, whose own findings count unless they are to be ignored.
        nodules: Single nodules of the same part, which are put into lungs.
        part: The part, for the message.

    Raises:
        UsageError: There is no nodule in either; the message has the numbers.
    """
    findings = [finding for case in cases for finding in case.findings]
    if nodules or not all(finding.ignored for finding in findings):
        return
    ignored = f" ({len(findings)} findings to ignore)" if findings else ""
    msg = (
        f"there is no nodule in the {part} part: 0 nodules in {len(cases)} series of "
        f"data.cases{ignored}, {len(nodules)} in data.nodules; prepare a data set whose tables "
        "list nodules, name one in data.nodules, or choose another data.fold"
    )
    raise UsageError(msg)


def training_material(data: DataConfig) -> tuple[TrainingMaterial, ...]:
    """Describes the training data for a manifest.

    Args:
        data: Folders, fold and held-out patients of the training.

    Returns:
        One row for each prepared folder.
    """
    folders = (*data.cases, *data.nodules)
    trained_on = {folder: _read(data, "training", (folder,)) for folder in folders}
    calibrating = {folder: _all_folds(data, folder) for folder in data.calibration}
    return (
        *(_describe(folder, trained_on[folder], _SERIES) for folder in data.cases),
        *(_describe(folder, trained_on[folder], _NODULES) for folder in data.nodules),
        *(_describe(folder, cases, _CALIBRATION) for folder, cases in calibrating.items()),
    )


def real_series_not_trained_on(data: DataConfig) -> set[str]:
    """Returns the SeriesInstanceUIDs of real series that validate, test or calibrate.

    Phantoms belong to no patient and are left out.

    Args:
        data: Folders, fold and held-out patients of the training.
    """
    folders = (*data.cases, *data.nodules)
    cases = [*_read(data, "validation", folders), *_read(data, "test", folders)]
    cases += read_calibration(data)
    return {_source_series_uid(case) for case in cases if not case.synthetic}


def raise_open_file_limit() -> None:
    """Lets this process open as many files as the system allows: each mapped array is one."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


def _describe(folder: Path, cases: Sequence[PreparedCase], role: str) -> TrainingMaterial:
    dataset = read_split(folder).dataset
    name, licence = SOURCES[dataset]
    synthetic = dataset == "phantoms"
    uids = () if synthetic else tuple(sorted({_source_series_uid(case) for case in cases}))
    return TrainingMaterial(
        name=name,
        licence=licence,
        role=f"{len(cases)} {role}",
        series_uids=uids,
        patients=None if synthetic else len({case.patient_id for case in cases}),
    )


def _source_series_uid(case: PreparedCase) -> str:
    """The UID of the series, or of the series that a nodule was cut from."""
    return case.origin.source_series_uid or case.series_uid


def _read(data: DataConfig, part: Part, folders: Sequence[Path]) -> list[PreparedCase]:
    """The cases of some folders, after all folders together were checked for leaks."""
    files = case_files((*data.cases, *data.nodules), part, held=data.fold)
    cases = (
        load_case(file) for file in files if any(file.is_relative_to(folder) for folder in folders)
    )
    return [case for case in cases if case.patient_id not in data.held_out_patients]


def _all_folds(data: DataConfig, folder: Path) -> list[PreparedCase]:
    cases = (load_case(folder / entry.case) for entry in _entries(folder))
    return [case for case in cases if case.patient_id not in data.held_out_patients]


def _entries(folder: Path) -> tuple[SplitEntry, ...]:
    return read_split(folder).series
