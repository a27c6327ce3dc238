"""Joins the classes that a run gave its studies with a table of their true classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.findings import NoduleClass
from hounsfield.pipeline.evaluation.classification.evaluate import PROBABILITY_COLUMNS, cases_of
from hounsfield.pipeline.evaluation.classification.metrics import CLASSES
from hounsfield.pipeline.evaluation.schema import ProtocolWarning
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import Aliases, Table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hounsfield.pipeline.evaluation.classification.metrics import Cases

_WORKLIST: Aliases = dict.fromkeys(
    ("patient_id", "study_uid", "study_class", *PROBABILITY_COLUMNS), ()
)
_SIZE: Aliases = {"diameter_mm": ("largest_diameter_mm",)}
_GROUND_TRUTH: Aliases = {"study_uid": (), "true_class": ("class", "label", "truth")}
_NO_FINDING = {f"p_{name}": "1" if name == NoduleClass.NORMAL else "0" for name in CLASSES}


def read_study_cases(worklist: Path, truth: Path) -> tuple[Cases, list[ProtocolWarning]]:
    """Reads the predictions of a run's studies and their ground truth.

    A study without findings was classified as normal without a probability, which counts as 1. A
    study without a patient identifier counts as a patient of its own.

    Args:
        worklist: The ``worklist.csv`` of a run.
        truth: Table of ``study_uid, true_class`` of the studies that count.

    Returns:
        The studies in both tables, and remarks on the others.

    Raises:
        UsageError: A table is wrong (the message names file, row and column), or the tables have
            no study in common.
    """
    true_classes = _true_classes(truth)
    table = read_table(worklist, _WORKLIST, _SIZE)
    analysed = zip(table.columns["study_uid"], table.columns["study_class"], strict=True)
    chosen = [
        index
        for index, (study, study_class) in enumerate(analysed)
        if study in true_classes and study_class
    ]
    if not chosen:
        msg = f"{worklist}: must hold at least one analysed study of {truth}, got none"
        raise UsageError(msg)
    columns = {name: [cells[index] for index in chosen] for name, cells in table.columns.items()}
    studies = columns["study_uid"]
    columns["case_id"] = studies
    columns["true_class"] = [true_classes[study] for study in studies]
    columns["patient_id"] = [
        patient or study for patient, study in zip(columns["patient_id"], studies, strict=True)
    ]
    without_finding = [
        index
        for index in range(len(chosen))
        if not any(columns[name][index] for name in PROBABILITY_COLUMNS)
    ]
    for name, cell in _NO_FINDING.items():
        for index in without_finding:
            columns[name][index] = cell
    cases = cases_of(Table(worklist, columns, [table.row_numbers[index] for index in chosen]))
    missing = len(true_classes) - len(set(studies))
    return cases, list(_notices(without_finding=len(without_finding), missing=missing))


def _true_classes(truth: Path) -> dict[str, str]:
    table = read_table(truth, _GROUND_TRUTH)
    true_classes: dict[str, str] = {}
    pairs = zip(table.columns["study_uid"], table.columns["true_class"], strict=True)
    for index, (study, name) in enumerate(pairs):
        if study in true_classes:
            raise table.cell_error(index, "study_uid", "a study that is in no earlier row")
        if name not in CLASSES:
            raise table.cell_error(index, "true_class", f"one of {', '.join(CLASSES)}")
        true_classes[study] = name
    return true_classes


def _notices(*, without_finding: int, missing: int) -> Iterator[ProtocolWarning]:
    if without_finding:
        message = (
            f"{without_finding} studies have no finding and were classified as normal without "
            "a probability; they count as normal with a probability of 1."
        )
        yield ProtocolWarning(
            code="studies_without_finding", message=message, studies=without_finding
        )
    if missing:
        message = f"{missing} studies of known class were not analysed and are excluded."
        yield ProtocolWarning(code="studies_missing", message=message, studies=missing)
