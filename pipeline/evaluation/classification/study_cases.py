"""The classes that a run gave its studies, beside what they are known to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.contracts import NoduleClass
from hounsfield.pipeline.evaluation.classification.evaluate import PROBABILITIES, cases_of
from hounsfield.pipeline.evaluation.classification.metrics import CLASSES
from hounsfield.pipeline.evaluation.schema import ProtocolWarning
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import Aliases, Table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hounsfield.pipeline.evaluation.classification.metrics import Cases

_SAID: Aliases = dict.fromkeys(("patient_id", "study_uid", "study_class", *PROBABILITIES), ())
_SIZE: Aliases = {"diameter_mm": ("largest_diameter_mm",)}
_KNOWN: Aliases = {"study_uid": (), "true_class": ("class", "label", "truth")}
_NO_FINDING = {f"p_{name}": "1" if name == NoduleClass.NORMAL else "0" for name in CLASSES}


def read_study_cases(worklist: Path, truth: Path) -> tuple[Cases, list[ProtocolWarning]]:
    """Reads a run's worklist.csv and ``study_uid, true_class`` of the studies that count.

    A study without findings was called normal without a probability: it counts as a 1. A study
    without a patient id counts as a patient of its own.

    Returns:
        The studies in both tables, and what a reader must know of the others.

    Raises:
        UsageError: A table is wrong, with its file, row and column, or they share no study.
    """
    known = _true_classes(truth)
    said = read_table(worklist, _SAID, _SIZE)
    chosen = [
        index
        for index, (study, given) in enumerate(
            zip(said.columns["study_uid"], said.columns["study_class"], strict=True)
        )
        if study in known and given
    ]
    if not chosen:
        msg = f"{worklist}: must hold at least one analysed study of {truth}, got none"
        raise UsageError(msg)
    columns = {name: [cells[index] for index in chosen] for name, cells in said.columns.items()}
    studies = columns["study_uid"]
    columns["case_id"] = studies
    columns["true_class"] = [known[study] for study in studies]
    columns["patient_id"] = [
        patient or study for patient, study in zip(columns["patient_id"], studies, strict=True)
    ]
    empty = [
        index
        for index in range(len(chosen))
        if not any(columns[name][index] for name in PROBABILITIES)
    ]
    for name, cell in _NO_FINDING.items():
        for index in empty:
            columns[name][index] = cell
    cases = cases_of(Table(worklist, columns, [said.row_numbers[index] for index in chosen]))
    return cases, list(_notices(without_finding=len(empty), missing=len(known) - len(set(studies))))


def _true_classes(truth: Path) -> dict[str, str]:
    table = read_table(truth, _KNOWN)
    known: dict[str, str] = {}
    pairs = zip(table.columns["study_uid"], table.columns["true_class"], strict=True)
    for index, (study, name) in enumerate(pairs):
        if study in known:
            raise table.cell_error(index, "study_uid", "a study that stands in no earlier row")
        if name not in CLASSES:
            raise table.cell_error(index, "true_class", f"one of {', '.join(CLASSES)}")
        known[study] = name
    return known


def _notices(*, without_finding: int, missing: int) -> Iterator[ProtocolWarning]:
    if without_finding:
        message = (
            f"{without_finding} studies have no finding and were called normal without a "
            "probability; they count as normal with a probability of 1."
        )
        yield ProtocolWarning(
            code="studies_without_finding", message=message, studies=without_finding
        )
    if missing:
        message = f"{missing} studies with a known class were not analysed and are left out."
        yield ProtocolWarning(code="studies_missing", message=message, studies=missing)
