"""Writes prepared cases as `hounsfield prepare` does."""

from hounsfield.data.prepared.case import save_case
from hounsfield.data.prepared.splits import SplitEntry, SplitManifest


def write_prepared_folder(folder, dataset, cases, *, cases_per_fold=1):
    """Writes cases and their split; each fold holds `cases_per_fold` cases, in their order."""
    entries = []
    for number, case in enumerate(cases):
        save_case(case, folder / "cases" / case.series_uid)
        entries.append(
            SplitEntry(
                series_uid=case.series_uid,
                patient_id=case.patient_id,
                case=f"cases/{case.series_uid}",
                voxels_sha256=case.series_uid,
                fold=number // cases_per_fold,
            )
        )
    folds = len(cases) // cases_per_fold
    split = SplitManifest(dataset=dataset, folds=max(folds, 3), series=tuple(entries))
    (folder / "split.json").write_text(split.model_dump_json())
