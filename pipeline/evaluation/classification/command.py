"""``hounsfield evaluate classification``: reads, evaluates, writes what OUT holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.evaluation.classification.evaluate import (
    evaluate_classification,
    read_cases,
)
from hounsfield.pipeline.evaluation.classification.metrics import OVERALL
from hounsfield.pipeline.evaluation.classification.study_cases import read_study_cases
from hounsfield.pipeline.evaluation.output_files import write_files
from hounsfield.pipeline.evaluation.page import rendered_page
from hounsfield.pipeline.evaluation.plots import confusion_plot, reliability_plot, rendered
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.pipeline.evaluation.schema import ClassificationEvaluation, ProtocolWarning

_NAMES = {
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "macro_auc": "Macro AUC",
    "expected_calibration_error": "Expected calibration error (10 bins)",
    "brier_score": "Brier score (0 to 2)",
}


def classification_command(
    *,
    predictions: Path,
    out: Path,
    truth: Path | None = None,
    resamplings: int = 1000,
    seed: int = 0,
) -> ClassificationEvaluation:
    """Evaluates a classifier's probabilities against known classes.

    Writes ``evaluation.json``, ``index.html``, ``confusion.png``, ``reliability.png`` and
    ``reliability.svg``.

    Args:
        predictions: ``patient_id, case_id, true_class``, the four ``p_<class>`` and, where known,
            ``diameter_mm``; with `truth` the worklist.csv of a run.
        out: A folder, made if missing.
        truth: ``study_uid, true_class``: the studies' classes are evaluated, not the findings'.
        resamplings: Bootstraps, clustered by patient.
        seed: Of the bootstraps and the baseline's folds.

    Raises:
        UsageError: The table is wrong, with its file, row and column.
        OutputError: `out` cannot be written.
    """
    if resamplings < 1:
        msg = f"The number of bootstraps must be 1 or more, got {resamplings}"
        raise UsageError(msg)
    notices: list[ProtocolWarning] = []
    if truth is None:
        cases = read_cases(predictions)
    else:
        cases, notices = read_study_cases(predictions, truth)
    document = evaluate_classification(
        predictions.name, cases, resamplings=resamplings, seed=seed, notices=notices
    )
    figure = reliability_plot(document.reliability)
    svg = rendered(figure, "svg")
    page = rendered_page(
        "classification.html.jinja", svg=svg, values={"e": document, "overall": _NAMES}
    )
    confusion = confusion_plot(document.model.confusion_matrix, document.class_order)
    write_files(
        out,
        {
            "confusion.png": rendered(confusion, "png"),
            "reliability.png": rendered(figure, "png"),
            "reliability.svg": svg,
            "index.html": page.encode(),
            "evaluation.json": (document.model_dump_json(indent=1) + "\n").encode(),
        },
    )
    return document


def classification_summary(document: ClassificationEvaluation) -> list[str]:
    """Makes the lines that a terminal shows."""
    lines = [f"WARNING {notice.code}: {notice.message}" for notice in document.notices]
    lines += [
        f"{_NAMES[key]}: model {_shown(getattr(document.model, key))}, "
        f"size only {_shown(getattr(document.size_only_baseline, key))}"
        for key in OVERALL
    ]
    lines.append(f"{document.cases} cases of {document.patients} patients")
    return lines


def _shown(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"
