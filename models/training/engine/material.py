"""What a recipe trains on: prepared series and nodules of one part of the split."""

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
    "phantoms": ("digital chests with digital nodules", "Apache-2.0"),
}
"""Name and licence of what `hounsfield prepare` knows."""

_LUNGS = "series with their findings; places of doubt were left out"
_NODULES = "nodules, put into lungs"
_CALIBRATING = "series that calibrate and teach nothing"


def read_cases(plan: DataConfig, part: Part) -> list[PreparedCase]:
    """The series of one part; their arrays are mapped, not read.

    Raises:
        UsageError: A folder cannot be read, or the folders of the plan together leak.
    """
    return _read(plan, part, plan.cases)


def read_nodules(plan: DataConfig, part: Part) -> list[NoduleCrop]:
    """The single nodules of one part.

    Raises:
        UsageError: As `read_cases`.
    """
    return [as_crop(case) for case in _read(plan, part, plan.nodules)]


def read_calibration(plan: DataConfig) -> list[PreparedCase]:
    """The series that calibrate and teach nothing, whatever their folds.

    Raises:
        UsageError: A folder cannot be read, or one holds a patient or the voxels of the other
            folders.
    """
    others = [entry for folder in (*plan.cases, *plan.nodules) for entry in _entries(folder)]
    own = [entry for folder in plan.calibration for entry in _entries(folder)]
    taught = {entry.patient_id for entry in others}
    if shared := sorted(taught & {entry.patient_id for entry in own}):
        msg = (
            f"data.calibration: {len(shared)} patient(s) are in data.cases or data.nodules too, "
            f"such as {shared[0]}; who calibrates must teach nothing"
        )
        raise UsageError(msg)
    check_no_leak([*others, *own])
    return [case for folder in plan.calibration for case in _whole(plan, folder)]


def _whole(plan: DataConfig, folder: Path) -> list[PreparedCase]:
    cases = (load_case(folder / entry.case) for entry in _entries(folder))
    return [case for case in cases if case.patient_id not in plan.held_out_patients]


def _entries(folder: Path) -> tuple[SplitEntry, ...]:
    return read_split(folder).series


def training_material(plan: DataConfig) -> tuple[TrainingMaterial, ...]:
    """What a manifest tells of the data that weights were made with, a row a prepared folder."""
    taught = {folder: _read(plan, "training", (folder,)) for folder in (*plan.cases, *plan.nodules)}
    calibrating = {folder: _whole(plan, folder) for folder in plan.calibration}
    return (
        *(_told(folder, taught[folder], _LUNGS) for folder in plan.cases),
        *(_told(folder, taught[folder], _NODULES) for folder in plan.nodules),
        *(_told(folder, cases, _CALIBRATING) for folder, cases in calibrating.items()),
    )


def real_series_apart(plan: DataConfig) -> set[str]:
    """The series that must teach nothing: of those that validate, test or calibrate.

    Digital chests are no one's.
    """
    folders = (*plan.cases, *plan.nodules)
    cases = [*_read(plan, "validation", folders), *_read(plan, "test", folders)]
    cases += read_calibration(plan)
    return {_series_uid(case) for case in cases if not case.synthetic}


def _told(folder: Path, cases: Sequence[PreparedCase], role: str) -> TrainingMaterial:
    dataset = read_split(folder).dataset
    name, licence = SOURCES[dataset]
    synthetic = dataset == "phantoms"
    return TrainingMaterial(
        name=name,
        licence=licence,
        role=f"{len(cases)} {role}",
        series_uids=() if synthetic else tuple(sorted({_series_uid(case) for case in cases})),
        patients=None if synthetic else len({case.patient_id for case in cases}),
    )


def _series_uid(case: PreparedCase) -> str:
    """Of the series itself, for a nodule that was cut from one."""
    return case.origin.source_series_uid or case.series_uid


def allow_many_files() -> None:
    """Lets this process hold as many open files as the system allows: each mapped array is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _read(plan: DataConfig, part: Part, folders: Sequence[Path]) -> list[PreparedCase]:
    """The cases of some folders, after all folders were checked as one."""
    files = case_files((*plan.cases, *plan.nodules), part, held=plan.fold)
    cases = (load_case(file) for file in files if any(file.is_relative_to(one) for one in folders))
    return [case for case in cases if case.patient_id not in plan.held_out_patients]
