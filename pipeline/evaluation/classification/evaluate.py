"""Reads classified cases and evaluates them beside a size-only baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation import bootstrap
from hounsfield.pipeline.evaluation.classification.metrics import (
    CLASSES,
    CONFIDENCE_BINS,
    METRICS,
    OVERALL,
    Cases,
    confusion_matrix,
    reliability,
    weighted_metrics,
)
from hounsfield.pipeline.evaluation.classification.size_baseline import size_only_probabilities
from hounsfield.pipeline.evaluation.schema import (
    ClassificationEvaluation,
    ClassifierMetrics,
    ClassMetrics,
    ProtocolWarning,
    ReliabilityBin,
)
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.delimited import Aliases, Table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_SUM_TOLERANCE = 0.01  # four probabilities rounded to two or three digits still pass
PROBABILITY_COLUMNS: Aliases = {f"p_{name}": (name,) for name in CLASSES}
_COLUMNS: Aliases = {
    "patient_id": ("patient",),
    "case_id": ("finding", "finding_id", "case", "series_uid", "seriesuid"),
    "true_class": ("class", "label", "truth"),
    **PROBABILITY_COLUMNS,
}


def read_cases(path: Path) -> Cases:
    """Reads a table of classified cases.

    Args:
        path: Table of ``patient_id, case_id, true_class``, the four ``p_<class>`` and, optionally,
            ``diameter_mm``.

    Returns:
        The cases, patients numbered from 0.

    Raises:
        UsageError: The table is empty, a class is unknown, probabilities are not valid, a case is
            repeated, or a diameter is not above 0. The message names file, row and column.
    """
    table = read_table(path, _COLUMNS, {"diameter_mm": ("diameter",)})
    if not len(table):
        msg = f"{path}: must hold at least one case, got none"
        raise UsageError(msg)
    return cases_of(table)


def cases_of(table: Table) -> Cases:
    """Converts a table to cases.

    Args:
        table: Table with the columns that `read_cases` names.

    Returns:
        The cases, patients numbered from 0.

    Raises:
        UsageError: A cell is not valid, as in `read_cases`.
    """
    for index, name in enumerate(table.columns["true_class"]):
        if name not in CLASSES:
            raise table.cell_error(index, "true_class", f"one of {', '.join(CLASSES)}")
    _refuse_repeated_cases(table)
    _, patient = np.unique(table.columns["patient_id"], return_inverse=True)
    true_class = np.array([CLASSES.index(name) for name in table.columns["true_class"]], np.intp)
    return Cases(patient, true_class, _probabilities(table), _diameters_mm(table))


def evaluate_classification(
    name: str,
    cases: Cases,
    *,
    resamplings: int = 1000,
    seed: int = 0,
    notices: Sequence[ProtocolWarning] = (),
) -> ClassificationEvaluation:
    """Evaluates a classifier, with bootstrap intervals clustered by patient.

    Args:
        name: Name of the file of predictions, for the document.
        cases: Predictions with the ground truth.
        resamplings: Number of bootstraps; each draws patients with all of their cases.
        seed: Seed of the bootstrap and of the folds of the baseline.
        notices: Remarks on how the cases were selected.

    Returns:
        The content of ``evaluation.json``.

    Raises:
        UsageError: All cases are of one patient.
    """
    patients = int(cases.patient.max()) + 1
    counts = bootstrap.draw_counts(patients, resamplings=resamplings, seed=seed)
    weights = counts[:, cases.patient]
    baseline = size_only_probabilities(cases, seed=seed)
    model, model_resampled = _classifier_metrics(cases, cases.probabilities, weights)
    size, size_resampled = _classifier_metrics(cases, baseline, weights)
    differences = (model_resampled - size_resampled)[:, : len(OVERALL)]
    return ClassificationEvaluation(
        predictions=name,
        cases=len(cases.true_class),
        patients=patients,
        class_order=list(CLASSES),
        model=model,
        size_only_baseline=size,
        difference={key: _minus(getattr(model, key), getattr(size, key)) for key in OVERALL},
        difference_interval_95=bootstrap.intervals_by_name(differences, OVERALL),
        reliability=_reliability_bins(cases, weights),
        notices=[*notices, *_notices(cases)],
        resamplings=resamplings,
        seed=seed,
    )


def _classifier_metrics(
    cases: Cases, probabilities: NDArray[np.float64], weights: NDArray[np.int32]
) -> tuple[ClassifierMetrics, NDArray[np.float64]]:
    once = np.ones((1, len(cases.true_class)), np.int32)
    plain = weighted_metrics(cases.true_class, probabilities, once)[0]
    metrics = dict(zip(METRICS, map(bootstrap.defined_or_none, plain), strict=True))
    resampled = weighted_metrics(cases.true_class, probabilities, weights)
    matrix = confusion_matrix(cases.true_class, probabilities, once.astype(np.float64))[0]
    document = ClassifierMetrics(
        confusion_matrix=matrix.astype(int).tolist(),
        classes={
            name: ClassMetrics(
                cases=int(matrix[k].sum()),
                sensitivity=metrics[f"sensitivity/{name}"],
                specificity=metrics[f"specificity/{name}"],
                auc=metrics[f"auc/{name}"],
            )
            for k, name in enumerate(CLASSES)
        },
        balanced_accuracy=metrics["balanced_accuracy"],
        macro_f1=metrics["macro_f1"],
        macro_auc=metrics["macro_auc"],
        expected_calibration_error=float(plain[METRICS.index("expected_calibration_error")]),
        brier_score=float(plain[METRICS.index("brier_score")]),
        interval_95=bootstrap.intervals_by_name(resampled, METRICS),
    )
    return document, resampled


def _reliability_bins(cases: Cases, weights: NDArray[np.int32]) -> list[ReliabilityBin]:
    once = np.ones((1, len(cases.true_class)))
    (count,), (confidence,), (correct,) = reliability(cases.true_class, cases.probabilities, once)
    resampled, _, resampled_correct = reliability(
        cases.true_class, cases.probabilities, weights.astype(np.float64)
    )
    accuracy = np.full(resampled.shape, np.nan)
    np.divide(resampled_correct, resampled, out=accuracy, where=resampled > 0)
    ends = bootstrap.intervals_by_name(accuracy, [str(k) for k in range(CONFIDENCE_BINS)])
    return [
        ReliabilityBin(
            lower=k / CONFIDENCE_BINS,
            upper=(k + 1) / CONFIDENCE_BINS,
            cases=int(count[k]),
            mean_confidence=float(confidence[k] / count[k]) if count[k] else None,
            accuracy=float(correct[k] / count[k]) if count[k] else None,
            interval_95=ends[str(k)],
        )
        for k in range(CONFIDENCE_BINS)
    ]


def _notices(cases: Cases) -> Iterator[ProtocolWarning]:
    missing = int(np.isnan(cases.diameter_mm).sum())
    if missing == len(cases.diameter_mm):
        message = (
            "No diameter_mm is given, so the baseline uses class frequencies only, not size; add "
            "the column to see whether the model performs better than size alone."
        )
        yield ProtocolWarning(code="diameters_missing", message=message, cases=missing)
    elif missing:
        message = (
            f"{missing} of {len(cases.diameter_mm)} cases have no diameter_mm; the baseline "
            "uses the median of the training cases for them."
        )
        yield ProtocolWarning(code="diameters_missing", message=message, cases=missing)
    absent = [name for k, name in enumerate(CLASSES) if not (cases.true_class == k).any()]
    if absent:
        message = f"No case is of class {', '.join(absent)}; means are over the other classes."
        yield ProtocolWarning(code="classes_absent", message=message, classes=len(absent))


def _probabilities(table: Table) -> NDArray[np.float64]:
    probabilities = np.stack([table.finite_numbers(name) for name in PROBABILITY_COLUMNS], axis=1)
    wrong = np.argwhere((probabilities < 0) | (probabilities > 1))
    if len(wrong):
        row, column = wrong[0].tolist()
        raise table.cell_error(row, list(PROBABILITY_COLUMNS)[column], "a probability from 0 to 1")
    total = probabilities.sum(axis=1)
    if (np.abs(total - 1) > _SUM_TOLERANCE).any():
        row = int(np.flatnonzero(np.abs(total - 1) > _SUM_TOLERANCE)[0])
        msg = (
            f"{table.path}, row {table.row_numbers[row]}, columns p_...: the four probabilities "
            f"must sum to 1, got {total[row]:.4g}"
        )
        raise UsageError(msg)
    return probabilities


def _diameters_mm(table: Table) -> NDArray[np.float64]:
    if "diameter_mm" not in table.columns:
        return np.full(len(table), np.nan)
    cells = [cell or "nan" for cell in table.columns["diameter_mm"]]
    filled = Table(table.path, {"diameter_mm": cells}, table.row_numbers)
    diameter_mm = filled.numbers("diameter_mm")
    wrong = np.flatnonzero((diameter_mm <= 0) | np.isinf(diameter_mm)).tolist()
    if wrong:
        raise filled.cell_error(wrong[0], "diameter_mm", "a diameter above 0 mm, or empty")
    return diameter_mm


def _refuse_repeated_cases(table: Table) -> None:
    known: set[tuple[str, str]] = set()
    keys = zip(table.columns["patient_id"], table.columns["case_id"], strict=True)
    for index, key in enumerate(keys):
        if key in known:
            raise table.cell_error(index, "case_id", "a case that is in no earlier row")
        known.add(key)


def _minus(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right
