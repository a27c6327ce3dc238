"""``hounsfield evaluate classification``: evaluates class probabilities and writes the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.evaluation.classification.evaluate import (
    evaluate_classification,
    read_cases,
)
from hounsfield.pipeline.evaluation.classification.metrics import OVERALL
from hounsfield.pipeline.evaluation.classification.study_cases import read_study_cases
from hounsfield.pipeline.evaluation.output import render_page, write_files
from hounsfield.pipeline.evaluation.plots import confusion_plot, reliability_plot, render_figure
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
    """Evaluates class probabilities against the ground truth and writes the results.

    Writes ``evaluation.json``, ``index.html``, ``confusion.png``, ``reliability.png`` and
    ``reliability.svg`` into `out`.

    Args:
        predictions: Table of ``patient_id, case_id, true_class``, the four ``p_<class>`` and,
            optionally, ``diameter_mm``; with `truth`, the ``worklist.csv`` of a run.
        out: Output folder, created if missing.
        truth: Table of ``study_uid, true_class``; given, the classes of studies are evaluated
            instead of those of findings.
        resamplings: Number of bootstraps, clustered by patient, 1 or more.
        seed: Seed of the bootstrap and of the folds of the baseline.

    Returns:
        The content of ``evaluation.json``.

    Raises:
        UsageError: A table is wrong; the message names file, row and column.
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
    svg = render_figure(figure, "svg")
    page = render_page(
        "evaluation/templates/classification.html.jinja",
        svg=svg,
        values={"e": document, "overall": _NAMES},
    )
    confusion = confusion_plot(document.model.confusion_matrix, document.class_order)
    write_files(
        out,
        {
            "confusion.png": render_figure(confusion, "png"),
            "reliability.png": render_figure(figure, "png"),
            "reliability.svg": svg,
            "index.html": page.encode(),
            "evaluation.json": (document.model_dump_json(indent=1) + "\n").encode(),
        },
    )
    return document


def classification_summary(document: ClassificationEvaluation) -> list[str]:
    """Summarises an evaluation for the terminal: notices first, then the metrics.

    Args:
        document: Evaluation that `classification_command` returned.

    Returns:
        The lines to print.
    """
    lines = [f"WARNING {notice.code}: {notice.message}" for notice in document.notices]
    lines += [
        f"{_NAMES[key]}: model {_number(getattr(document.model, key))}, "
        f"size only {_number(getattr(document.size_only_baseline, key))}"
        for key in OVERALL
    ]
    lines.append(f"{document.cases} cases of {document.patients} patients")
    return lines


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"
