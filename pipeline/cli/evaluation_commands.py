"""Commands for evaluation; each imports its implementation when it is called."""

# typer reads the signatures at run time, so their types are imported plainly.
from pathlib import Path
from typing import Annotated

import typer

from hounsfield.pipeline.cli.options import Debug, Json, Out
from hounsfield.pipeline.cli.printing import print_document, print_lines

app = typer.Typer(help="Evaluate predictions against ground truth.", no_args_is_help=True)


@app.command("luna16")
def evaluate_luna16(
    annotations: Annotated[Path, typer.Option(help="Ground truth: LUNA16's annotations.csv.")],
    series: Annotated[Path, typer.Option(help="List of scans: seriesuids.csv.")],
    predictions: Annotated[Path, typer.Option(help="Predictions: CSV in LUNA16's format.")],
    out: Out,
    excluded: Annotated[
        Path | None, typer.Option(help="Irrelevant findings: annotations_excluded.csv.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Second predictions, for a paired bootstrap.")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="CSV that maps numbers to series UIDs.")] = None,
    facts: Annotated[
        Path | None,
        typer.Option(help="CSV with slice thickness and scanner of each series, for strata."),
    ] = None,
    resamplings: Annotated[int, typer.Option(min=1, help="Bootstrap samples over scans.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluate detection by the LUNA16 protocol, with intervals and a check of the submission."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.evaluation.luna16.command import luna16_command, luna16_summary

        evaluation = luna16_command(
            annotations=annotations,
            excluded=excluded,
            series=series,
            predictions=predictions,
            out=out,
            compare=compare,
            ids=ids,
            facts=facts,
            resamplings=resamplings,
            seed=seed,
        )
        if json:
            print_document(evaluation.model_dump_json(indent=2))
        else:
            print_lines(*luna16_summary(evaluation))


@app.command("classification")
def evaluate_classification(
    predictions: Annotated[
        Path,
        typer.Option(
            help="CSV with one row a case: patient, case, true class, four probabilities."
        ),
    ],
    out: Out,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="CSV of study_uid and true_class, where PREDICTIONS is a run's worklist.csv."
        ),
    ] = None,
    resamplings: Annotated[
        int, typer.Option(min=1, help="Bootstrap samples over patients.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluate class probabilities, with a size-only baseline for comparison."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.evaluation.classification.command import (
            classification_command,
            classification_summary,
        )

        evaluation = classification_command(
            predictions=predictions, out=out, truth=truth, resamplings=resamplings, seed=seed
        )
        if json:
            print_document(evaluation.model_dump_json(indent=2))
        else:
            print_lines(*classification_summary(evaluation))
