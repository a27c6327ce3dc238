"""``hounsfield evaluate luna16``: reads the tables, evaluates, writes what OUT holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.evaluation.luna16 import outcome_tables, submission
from hounsfield.pipeline.evaluation.luna16.evaluate import (
    KEYS,
    PLOT_RATES,
    GroundTruth,
    evaluate_luna16,
    match_submission,
)
from hounsfield.pipeline.evaluation.output_files import write_files
from hounsfield.pipeline.evaluation.page import rendered_page
from hounsfield.pipeline.evaluation.plots import froc_plot, rendered
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.pipeline.evaluation.schema import Luna16Evaluation

_MISSES_SHOWN = 50


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
    """Evaluates a submission by the LUNA16 protocol.

    Writes ``evaluation.json``, ``index.html``, ``froc.png``, ``froc.svg``, ``nodules.csv`` and
    ``marks.csv`` into `out`.

    Args:
        annotations: Nodules: ``seriesuid,coordX,coordY,coordZ,diameter_mm``.
        excluded: Findings on which marks are ignored, the same columns; None where there are none.
        series: The scan list.
        predictions: Marks: ``seriesuid,coordX,coordY,coordZ,probability``.
        out: A folder, made if missing.
        compare: Marks of another submission, for the paired bootstrap.
        ids: Numbers and the scans they stand for, where marks name scans by number.
        facts: Slice thickness, scanner, origin and spacing of the series.
        resamplings: Scan-level bootstraps.
        seed: Of the bootstraps.

    Raises:
        UsageError: A table is wrong, with its file, row and column.
        OutputError: `out` cannot be written.
    """
    if resamplings < 1:
        msg = f"The number of bootstraps must be 1 or more, got {resamplings}"
        raise UsageError(msg)
    scans = submission.read_scan_list(series, ids)
    truth = GroundTruth(
        scans=scans,
        nodules=submission.read_findings(annotations, scans),
        excluded=(
            submission.read_findings(excluded, scans) if excluded else submission.no_findings()
        ),
        facts=submission.read_series_facts(facts, scans) if facts else None,
    )
    names = _names(predictions, compare)
    judged = match_submission(names[0], submission.read_predictions(predictions, scans), truth)
    other = None
    if compare:
        other = match_submission(names[1], submission.read_predictions(compare, scans), truth)
    document, curves = evaluate_luna16(
        judged, truth, other=other, resamplings=resamplings, seed=seed
    )
    figure = froc_plot(curves, PLOT_RATES)
    svg = rendered(figure, "svg")
    nodule_rows = outcome_tables.nodule_rows(judged, truth)
    page = rendered_page(
        "luna16.html.jinja", svg=svg, values={"e": document, "misses": _largest_misses(nodule_rows)}
    )
    marks = outcome_tables.csv_text(
        outcome_tables.MARK_COLUMNS, outcome_tables.mark_rows(judged, truth)
    )
    nodules = outcome_tables.csv_text(outcome_tables.NODULE_COLUMNS, nodule_rows)
    write_files(
        out,
        {
            "froc.png": rendered(figure, "png"),
            "froc.svg": svg,
            "nodules.csv": nodules.encode(),
            "marks.csv": marks.encode(),
            "index.html": page.encode(),
            "evaluation.json": (document.model_dump_json(indent=1) + "\n").encode(),
        },
    )
    return document


def luna16_summary(document: Luna16Evaluation) -> list[str]:
    """Makes the lines that a terminal shows: warnings first, then the figures."""
    low, high = document.interval_95["cpm"]
    lines = [f"WARNING {w.code}: {w.message}" for w in document.protocol_warnings]
    lines += [
        f"{key:>6} false positives a scan: sensitivity {document.sensitivity[key]:.4f} "
        f"({_ends(document.interval_95[key])})"
        for key in KEYS
    ]
    lines.append(
        f"CPM {document.cpm:.4f} ({_ends((low, high))}), {document.nodules} nodules, "
        f"{document.scans} scans, {document.true_positives} found, "
        f"{document.false_positives} false positives"
    )
    if document.comparison is not None:
        comparison = document.comparison
        lines.append(
            f"Against {comparison.other}: CPM {comparison.difference['cpm']:+.4f} "
            f"({_ends(comparison.interval_95['cpm'])}), p {comparison.p_value['cpm']:.3f}"
        )
    return lines


def _names(predictions: Path, compare: Path | None) -> tuple[str, str]:
    """Names the submissions by their files, and by their folders too where the files are alike."""
    if compare is None or compare.name != predictions.name:
        return predictions.name, compare.name if compare else ""
    first, second = (f"{path.parent.name}/{path.name}" for path in (predictions, compare))
    return first, second


def _largest_misses(nodule_rows: list[list[str]]) -> list[list[str]]:
    misses = [row[:5] for row in nodule_rows if row[5] == "miss"]
    return sorted(misses, key=lambda row: -float(row[4]))[:_MISSES_SHOWN]


def _ends(pair: tuple[float | None, float | None]) -> str:
    low, high = pair
    return "not defined" if low is None or high is None else f"{low:.4f} to {high:.4f}"
