"""What a recipe trains on: prepared series and nodules of one part of the split."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from data.nodule_crops import as_crop
from data.prepared import load_case
from data.splits import case_files, read_split
from models.manifest import TrainingMaterial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from data.nodule_crops import NoduleCrop
    from data.prepared import PreparedCase
    from data.splits import Part
    from models.training.configuration import DataPlan


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


def read_cases(plan: DataPlan, part: Part) -> list[PreparedCase]:
    """The series of one part; their arrays are mapped, not read.

    Raises:
        UsageError: A folder cannot be read, or the folders of the plan together leak.
    """
    return _read(plan, part, plan.cases)


def read_nodules(plan: DataPlan, part: Part) -> list[NoduleCrop]:
    """The single nodules of one part.

    Raises:
        UsageError: As `read_cases`.
    """
    return [as_crop(case) for case in _read(plan, part, plan.nodules)]


def training_material(plan: DataPlan) -> tuple[TrainingMaterial, ...]:
    """What a manifest tells of the data that weights were made with, a row a prepared folder."""
    return tuple(_told(plan, folder) for folder in (*plan.cases, *plan.nodules))


def real_series(plan: DataPlan, part: Part) -> set[str]:
    """The series that the cases and nodules of one part come from; digital chests are no one's."""
    cases = _read(plan, part, (*plan.cases, *plan.nodules))
    return {_series_uid(case) for case in cases if not case.synthetic}


def _told(plan: DataPlan, folder: Path) -> TrainingMaterial:
    dataset = read_split(folder).dataset
    name, licence = SOURCES[dataset]
    cases = _read(plan, "training", (folder,))
    synthetic = dataset == "phantoms"
    lungs = f"{len(cases)} series with their findings; places of doubt were left out"
    return TrainingMaterial(
        name=name,
        licence=licence,
        role=f"{len(cases)} nodules, put into lungs" if folder in plan.nodules else lungs,
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


def _read(plan: DataPlan, part: Part, folders: Sequence[Path]) -> list[PreparedCase]:
    """The cases of some folders, after all folders were checked as one."""
    files = case_files((*plan.cases, *plan.nodules), part, held=plan.fold)
    cases = (load_case(file) for file in files if any(file.is_relative_to(one) for one in folders))
    return [case for case in cases if case.patient_id not in plan.held_out_patients]
