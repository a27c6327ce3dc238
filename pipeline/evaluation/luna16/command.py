"""``hounsfield evaluate luna16``: evaluates predictions and writes the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.evaluation.luna16 import outcome_tables
from hounsfield.pipeline.evaluation.luna16.document import KEYS, PLOT_RATES
from hounsfield.pipeline.evaluation.luna16.evaluate import Luna16Tables, evaluate_tables
from hounsfield.pipeline.evaluation.output import render_page, write_files
from hounsfield.pipeline.evaluation.plots import froc_plot, render_figure
from hounsfield.preprocessing.files.csv_files import csv_text

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.pipeline.evaluation.schema import Interval, Luna16Evaluation

MAX_MISSES_SHOWN = 50


def luna16_command(
    *,
    annotations: Path,
    excluded: Path | None,
    series: Path,
    predictions: Path,
    out: Path,
    compare: Path | None = None,
    ids: Path | None = None,
    facts: Path | None = None,
    resamplings: int = 1000,
    seed: int = 0,
) -> Luna16Evaluation:
    """Evaluates predictions by the LUNA16 protocol and writes the results.

    Writes ``evaluation.json``, ``index.html``, ``froc.png``, ``froc.svg``, ``nodules.csv`` and
    ``prediction_outcomes.csv`` into `out`. The tables are described at `Luna16Tables`.

    Args:
        annotations: Table of the nodules that count.
        excluded: Table of findings on which predictions are ignored; None if there are none.
        series: Table of the scans by whose number false positives are divided.
        predictions: Table of the predictions to evaluate.
        out: Output folder, created if missing.
        compare: Table of other predictions, for the paired bootstrap.
        ids: Table of numbers and the scans they stand for.
        facts: Table of slice thickness, scanner, origin and spacing of the scans.
        resamplings: Number of bootstraps over scans, 1 or more.
        seed: Seed of the bootstrap; equal seeds give equal intervals.

    Returns:
        The content of ``evaluation.json``.

    Raises:
        UsageError: A table is wrong; the message names file, row and column.
        OutputError: `out` cannot be written.
    """
    tables = Luna16Tables(
        annotations=annotations,
        predictions=predictions,
        seriesuids=series,
        excluded=excluded,
        compare=compare,
        ids=ids,
        facts=facts,
    )
    result = evaluate_tables(tables, resamplings=resamplings, seed=seed)
    document = result.document
    figure = froc_plot(result.curves, PLOT_RATES)
    svg = render_figure(figure, "svg")
    nodule_rows = outcome_tables.nodule_rows(result.submission, result.truth)
    prediction_rows = outcome_tables.prediction_rows(result.submission, result.truth)
    page = render_page(
        "evaluation/templates/luna16.html.jinja",
        svg=svg,
        values={"e": document, "misses": _largest_misses(nodule_rows)},
    )
    nodules = csv_text(outcome_tables.NODULE_COLUMNS, nodule_rows)
    outcomes = csv_text(outcome_tables.PREDICTION_COLUMNS, prediction_rows)
    write_files(
        out,
        {
            "froc.png": render_figure(figure, "png"),
            "froc.svg": svg,
            "nodules.csv": nodules.encode(),
            "prediction_outcomes.csv": outcomes.encode(),
            "index.html": page.encode(),
            "evaluation.json": (document.model_dump_json(indent=1) + "\n").encode(),
        },
    )
    return document


def luna16_summary(document: Luna16Evaluation) -> list[str]:
    """Summarises an evaluation for the terminal: warnings first, then the figures.

    Args:
        document: Evaluation that `luna16_command` returned.

    Returns:
        The lines to print.
    """
    lines = [f"WARNING {warning.code}: {warning.message}" for warning in document.protocol_warnings]
    lines += [
        f"{key:>6} false positives per scan: sensitivity {document.sensitivity[key]:.4f} "
        f"({_interval(document.interval_95[key])})"
        for key in KEYS
    ]
    lines.append(
        f"CPM {document.cpm:.4f} ({_interval(document.interval_95['cpm'])}), "
        f"{document.nodules} nodules, {document.scans} scans, "
        f"{document.true_positives} detected, {document.false_positives} false positives"
    )
    if document.comparison is not None:
        comparison = document.comparison
        lines.append(
            f"Compared with {comparison.other}: CPM {comparison.difference['cpm']:+.4f} "
            f"({_interval(comparison.interval_95['cpm'])}), p {comparison.p_value['cpm']:.3f}"
        )
    return lines


def _largest_misses(nodule_rows: list[list[str]]) -> list[list[str]]:
    misses = [row[:5] for row in nodule_rows if row[5] == "miss"]
    return sorted(misses, key=lambda row: -float(row[4]))[:MAX_MISSES_SHOWN]


def _interval(ends: Interval) -> str:
    low, high = ends
    return "not defined" if low is None or high is None else f"{low:.4f} to {high:.4f}"
