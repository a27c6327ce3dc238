"""The commands: what they are called and take. What they do is imported when one is called."""

# typer reads the signatures at run time, so their types are imported plainly.
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    help="Chest CT in, lung findings out. For research only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

evaluate_app = typer.Typer(help="Judge results against the truth.", no_args_is_help=True)
models_app = typer.Typer(help="The weights that are here.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(models_app, name="models")

ModelName = Annotated[str, typer.Argument(help="As `models list` names it, or a model's folder.")]
Inputs = Annotated[list[Path], typer.Argument(help="Files and folders, in any mixture.")]
Out = Annotated[Path, typer.Option("--out", help="Where results go; made where it is missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Print a line for each series.")]
Config = Annotated[
    str, typer.Option("--config", help="A name in configs/, or a YAML file with what differs.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.command()
def run(
    inputs: Inputs,
    out: Out,
    config: Config = "default",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; else as configured.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try what failed before once more.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Do everything again.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Analyse every study of the input and write reports; goes on where it was stopped."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.closing import print_closing, print_closing_json
        from pipeline.config import load_config
        from pipeline.progress import Progress
        from pipeline.runner import run as run_studies
        from pipeline.studies import RunOptions

        summary = run_studies(
            inputs,
            out=out,
            config=load_config(config, workers=workers),
            progress=Progress(quiet=quiet, verbose=verbose),
            options=RunOptions(force=force, retry_failed=retry_failed),
        )
        if json:
            print_closing_json(out, summary)
        elif not quiet:
            print_closing(out, summary)
    raise typer.Exit(summary.exit_code)


@app.command()
def inspect(
    inputs: Inputs,
    headers_only: Annotated[
        bool, typer.Option("--headers-only", help="Read no pixels: faster, fewer notices.")
    ] = False,
    config: Config = "default",
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Tell what is there, and what a run would make of it."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.config import load_config
        from pipeline.inspection import as_json
        from pipeline.inspection import inspect as inspect_inputs
        from pipeline.inspection_table import print_table
        from pipeline.progress import Progress

        progress = Progress(quiet=quiet)
        rows = inspect_inputs(
            inputs,
            read_pixels=not headers_only,
            kernel=load_config(config).series.kernel,
            on_file=progress.looked_at,
            on_series=None if headers_only else progress.reading,
        )
        if json:
            typer.echo(as_json(rows))
        else:
            print_table(rows)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A file or folder.")],
    out: Annotated[Path, typer.Option("--out", help="A .nii.gz, .mha or .npz file.")],
    series: Annotated[
        str | None, typer.Option(help="Its UID, where the input holds several.")
    ] = None,
    grid: Annotated[
        Literal["native", "working"], typer.Option(help="As scanned, or as networks see it.")
    ] = "native",
    config: Config = "default",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write one series as a volume in Hounsfield units, so that others can check it."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.config import load_config
        from pipeline.conversion import convert as convert_series

        kernel = load_config(config).series.kernel
        volume = convert_series(source, out, series_uid=series, grid=grid, kernel=kernel)
        if not quiet:
            for notice in volume.notices:
                typer.echo(f"{notice.code}: {notice.message}", err=True)
            typer.echo(out)


@app.command()
def status(out: Path, json: Json = False, debug: Debug = False) -> None:
    """Tell how far a run is: counts, rate, time left, failures by reason."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.status import read_status

        found = read_status(out)
        typer.echo(found.model_dump_json(indent=2) if json else "\n".join(found.lines()))


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="A folder that is made.")],
    seed: Annotated[int, typer.Option(help="Decides the person, the scan and the nodules.")] = 1,
    size: Annotated[
        Literal["full", "small"], typer.Option(help="512 x 512 x 300, or 256 x 256 x 80.")
    ] = "full",
    nodules: Annotated[
        int | None, typer.Option(min=0, max=100, help="How many; else drawn.")
    ] = None,
    form: Annotated[Literal["dicom", "luna16", "nifti", "all"], typer.Option("--format")] = "dicom",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a digital chest with known answers."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from dataclasses import replace
        from typing import get_args

        from data.phantom import SMALL, PhantomSettings, make_phantom, write_phantom
        from data.phantom.writing import Format
        from pipeline.errors import writing_to

        settings = replace(SMALL if size == "small" else PhantomSettings(), nodule_count=nodules)
        formats = get_args(Format) if form == "all" else (form,)
        with writing_to(out):
            write_phantom(make_phantom(seed, settings=settings), out, formats=formats)
        if not quiet:
            typer.echo(out)


@models_app.command("list")
def models_list(json: Json = False, debug: Debug = False) -> None:
    """Name the weights that come with Hounsfield."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.model_pages import list_lines, manifests_as_json

        typer.echo(manifests_as_json() if json else "\n".join(list_lines()))


@models_app.command("show")
def models_show(name: ModelName, debug: Debug = False) -> None:
    """Show a model's card: what it is, what it was trained on, its limits."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.model_pages import card

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
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.model_pages import import_lines

        typer.echo("\n".join(import_lines(source, name=name, out=out)))


@models_app.command("verify")
def models_verify(debug: Debug = False) -> None:
    """Compare every weight file with the sha256 of its manifest."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.model_pages import verify_lines

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
        ],
        typer.Argument(help="What the source is."),
    ],
    source: Annotated[
        Path,
        typer.Argument(help="The folder of a download; for phantoms a recipe, or a CSV table."),
    ],
    out: Out,
    include_held_out: Annotated[
        bool, typer.Option("--include-held-out", help="Patients kept for examination too.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Bring a data set into the form that training reads; goes on where it was stopped."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.preparing import exit_code, prepare_dataset, report_lines

        report = prepare_dataset(
            dataset, source, out, include_held_out=include_held_out, quiet=quiet
        )
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
    from pipeline.ending import ending

    with ending(debug=debug):
        import logging

        from models.training.progress import TrainingProgress

        level = logging.WARNING if quiet else logging.INFO
        logging.basicConfig(level=level, format="%(asctime)s %(message)s")
        progress = TrainingProgress(quiet=quiet)
        if fold:
            from pipeline.cross_validation import closing_lines, cross_validate

            found = cross_validate(config, out, fold, steps=steps, progress=progress)
            if found is not None:
                typer.echo("\n".join(closing_lines(found)))
            return
        from models.training.train import run_training

        manifest = run_training(config, out, steps=steps, progress=progress)
        if manifest is not None and not quiet:
            typer.echo(f"{manifest.name} {manifest.version} is in {out}")


@evaluate_app.command("luna16")
def evaluate_luna16(
    annotations: Annotated[Path, typer.Option(help="Nodules: LUNA16's annotations.csv.")],
    series: Annotated[Path, typer.Option(help="The scans that count: seriesuids.csv.")],
    predictions: Annotated[Path, typer.Option(help="The marks that are judged.")],
    out: Out,
    excluded: Annotated[
        Path | None, typer.Option(help="Findings to ignore: annotations_excluded.csv.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Other predictions, for a paired bootstrap.")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="Numbers that stand for series UIDs.")] = None,
    facts: Annotated[
        Path | None, typer.Option(help="Slice thickness and scanner of each series, for strata.")
    ] = None,
    resamplings: Annotated[int, typer.Option(min=1, help="Bootstraps over scans.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstraps.")] = 0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Judge marks by the LUNA16 protocol, with intervals and a check of the submission."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.evaluation import luna16_command, luna16_summary

        found = luna16_command(
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
        typer.echo(found.model_dump_json(indent=2) if json else "\n".join(luna16_summary(found)))


@evaluate_app.command("classification")
def evaluate_classification(
    predictions: Annotated[
        Path, typer.Option(help="A row a case: patient, case, true class, four probabilities.")
    ],
    out: Out,
    resamplings: Annotated[int, typer.Option(min=1, help="Bootstraps over patients.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstraps.")] = 0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Judge class probabilities, always beside a baseline that knows the size alone."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.evaluation import classification_command, classification_summary

        found = classification_command(
            predictions=predictions, out=out, resamplings=resamplings, seed=seed
        )
        lines = classification_summary(found)
        typer.echo(found.model_dump_json(indent=2) if json else "\n".join(lines))


def main() -> None:
    """What the console script calls."""
    app()
