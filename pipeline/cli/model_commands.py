"""Commands for models and their training; each imports its implementation when it is called."""

# typer reads the signatures at run time, so their types are imported plainly.
from pathlib import Path
from typing import Annotated, Literal

import typer

from hounsfield.pipeline.cli.options import Debug, Json, Out, Quiet
from hounsfield.pipeline.cli.printing import print_document, print_lines

app = typer.Typer()
models_app = typer.Typer(help="Manage model weights.", no_args_is_help=True)

ModelName = Annotated[str, typer.Argument(help="Name from `models list`, or a model's folder.")]


@models_app.command("list")
def models_list(json: Json = False, debug: Debug = False) -> None:
    """List the installed models: the shipped ones, then your own."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.cli.models_output import list_lines, manifests_as_json

        if json:
            print_document(manifests_as_json())
        else:
            print_lines(*list_lines())


@models_app.command("show")
def models_show(name: ModelName, debug: Debug = False) -> None:
    """Show a model's card: purpose, training data, limits."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.cli.models_output import card

        print_lines(*card(name).splitlines())


@models_app.command("import")
def models_import(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="The folder of MONAI's lung_nodule_ct_detection, or its model.pt."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name for the imported model.")] = "monai_luna16",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to create; by default one where its name finds it."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Import the RetinaNet of the MONAI bundle; none of its code is run."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.cli.models_output import import_lines

        print_lines(*import_lines(source, name=name, out=out))


@models_app.command("export")
def models_export(
    name: ModelName,
    out: Annotated[Path, typer.Option("--out", help="File to write: .onnx.")],
    debug: Debug = False,
) -> None:
    """Export a model as one ONNX file with its manifest inside, for other programs."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.cli.models_output import export_model

        export_model(name, out)
        print_lines(out)


@models_app.command("verify")
def models_verify(debug: Debug = False) -> None:
    """Compare all weights and graphs with the SHA-256 in their manifests."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.cli.models_output import verify_lines

        print_lines(*verify_lines())


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
        typer.Argument(help="Name of the data set, which tells how SOURCE is read."),
    ],
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of the download; for phantoms their configuration, for ct-table a CSV."
        ),
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
    """Prepare a data set for training and evaluation; resumes an interrupted preparation."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.cli.prepare_output import exit_code, prepare_dataset, report_lines

        report = prepare_dataset(dataset, source, out, held_out=held_out, quiet=quiet)
        if json:
            print_document(report.model_dump_json(indent=2))
        elif not quiet:
            print_lines(*report_lines(report, out))
    raise typer.Exit(exit_code(report))


@app.command()
def train(
    config: Annotated[
        Path, typer.Argument(help="Training configuration, such as configs/train_detector.yaml.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new model.")],
    fold: Annotated[
        list[str] | None,
        typer.Option(
            "--fold",
            "--folds",
            metavar="K|all",
            help="Hold out fold K: train in OUT/fold-K, predict the fold, evaluate. Repeat for "
            "several folds, or give `all` for the whole cross-validation.",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Number of steps instead of the configured one, for a test."),
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a model from a configuration; resumes an interrupted training."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        import logging

        from hounsfield.models.training.reporting.progress import TrainingProgress
        from hounsfield.pipeline.batch.run_log import PrintableFormatter

        level = logging.WARNING if quiet else logging.INFO
        handler = logging.StreamHandler()
        handler.setFormatter(PrintableFormatter("%(asctime)s %(message)s"))
        logging.basicConfig(level=level, handlers=[handler])
        progress = TrainingProgress(quiet=quiet)
        if fold:
            from hounsfield.pipeline.evaluation.cross_validation import (
                cross_validate,
                cross_validation_summary,
            )

            result = cross_validate(config, out, fold, steps=steps, progress=progress)
            if result is not None:
                print_lines(*cross_validation_summary(result))
            return
        from hounsfield.models.training.train import run_training

        manifest = run_training(config, out, steps=steps, progress=progress)
        if manifest is not None and not quiet:
            print_lines(f"{manifest.name} {manifest.version} is in {out}")
