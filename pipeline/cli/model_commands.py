"""The commands for models and what makes them. What they do is imported when one is called."""

# typer reads the signatures at run time, so their types are imported plainly.
from pathlib import Path
from typing import Annotated, Literal

import typer

from hounsfield.pipeline.cli.options import Debug, Json, Out, Quiet

app = typer.Typer()
models_app = typer.Typer(help="The weights that are here.", no_args_is_help=True)

ModelName = Annotated[str, typer.Argument(help="As `models list` names it, or a model's folder.")]


@models_app.command("list")
def models_list(json: Json = False, debug: Debug = False) -> None:
    """Name the weights that come with Hounsfield."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.cli.models_output import list_lines, manifests_as_json

        typer.echo(manifests_as_json() if json else "\n".join(list_lines()))


@models_app.command("show")
def models_show(name: ModelName, debug: Debug = False) -> None:
    """Show a model's card: what it is, what it was trained on, its limits."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.cli.models_output import card

        typer.echo(card(name))


@models_app.command("import")
def models_import(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The folder of MONAI's lung_nodule_ct_detection, or its model.pt."
        ),
    ],
    name: Annotated[str, typer.Option(help="What the model is called here.")] = "monai_luna16",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The model's folder; else one where the name finds it."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Bring in the RetinaNet of the MONAI bundle; nothing of the bundle is run."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.cli.models_output import import_lines

        typer.echo("\n".join(import_lines(source, name=name, out=out)))


@models_app.command("export")
def models_export(
    name: ModelName,
    out: Annotated[Path, typer.Option("--out", help="An .onnx file.")],
    debug: Debug = False,
) -> None:
    """Write a model as one ONNX file, its manifest inside, for other programs."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.cli.models_output import export_model

        export_model(name, out)
        typer.echo(out)


@models_app.command("verify")
def models_verify(debug: Debug = False) -> None:
    """Compare every weight file with the sha256 of its manifest."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.cli.models_output import verify_lines

        typer.echo("\n".join(verify_lines()))


@app.command()
def prepare(
    dataset: Annotated[
        Literal[
            "luna16",
            "lidc-idri",
            "lung-pet-ct-dx",
            "nsclc-radiomics",
            "nodule-crops",
            "phantoms",
            "ct-table",
            "class-folders",
        ],
        typer.Argument(help="What the source is."),
    ],
    source: Annotated[
        Path,
        typer.Argument(help="The folder of a download; for phantoms a recipe, or a CSV table."),
    ],
    out: Out,
    held_out: Annotated[
        str | None,
        typer.Option(
            "--held-out",
            metavar="FILE|NAME",
            help="Leave out the patients of this YAML file, or of configs/data/NAME.yaml.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Bring a data set into the form that training reads; goes on where it was stopped."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.cli.prepare_output import exit_code, prepare_dataset, report_lines

        report = prepare_dataset(dataset, source, out, held_out=held_out, quiet=quiet)
        if json:
            typer.echo(report.model_dump_json(indent=2))
        elif not quiet:
            typer.echo("\n".join(report_lines(report, out)))
    raise typer.Exit(exit_code(report))


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A recipe, such as configs/train_detector.yaml.")],
    out: Annotated[Path, typer.Option("--out", help="The folder of the model that is made.")],
    fold: Annotated[
        list[str] | None,
        typer.Option(
            "--fold",
            "--folds",
            metavar="K|all",
            help="Keep fold K for testing, train in OUT/fold-K, predict and evaluate it; again "
            "for several, all for the whole cross-validation.",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="In place of the recipe's, for a trial.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make weights from a recipe; goes on where it was stopped."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        import logging

        from hounsfield.models.training.reporting.progress import TrainingProgress

        level = logging.WARNING if quiet else logging.INFO
        logging.basicConfig(level=level, format="%(asctime)s %(message)s")
        progress = TrainingProgress(quiet=quiet)
        if fold:
            from hounsfield.pipeline.evaluation.cross_validation import (
                closing_lines,
                cross_validate,
            )

            found = cross_validate(config, out, fold, steps=steps, progress=progress)
            if found is not None:
                typer.echo("\n".join(closing_lines(found)))
            return
        from hounsfield.models.training.engine.train import run_training

        manifest = run_training(config, out, steps=steps, progress=progress)
        if manifest is not None and not quiet:
            typer.echo(f"{manifest.name} {manifest.version} is in {out}")
