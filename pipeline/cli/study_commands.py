"""The commands for studies. What they do is imported when one is called."""

# typer reads the signatures at run time, so their types are imported plainly.
from pathlib import Path
from typing import Annotated, Literal

import typer

from hounsfield.pipeline.cli.options import Config, Debug, Inputs, Json, Out, Quiet, Verbose

app = typer.Typer()


@app.command()
def run(
    inputs: Inputs,
    out: Out,
    config: Config = "default",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes; else as configured.")
    ] = None,
    clinical: Annotated[
        Path | None,
        typer.Option(help="A CSV of what is known of the patients, for risk models."),
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
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.batch.progress import Progress
        from hounsfield.pipeline.batch.run import run as run_studies
        from hounsfield.pipeline.batch.run_summary import RunOptions
        from hounsfield.pipeline.cli.run_output import print_closing, print_closing_json
        from hounsfield.pipeline.config import load_config

        summary = run_studies(
            inputs,
            out=out,
            config=load_config(config, workers=workers),
            progress=Progress(quiet=quiet, verbose=verbose),
            options=RunOptions(force=force, retry_failed=retry_failed),
            clinical=clinical,
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
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.batch.progress import Progress
        from hounsfield.pipeline.cli.inspect_output import print_table
        from hounsfield.pipeline.config import load_config
        from hounsfield.pipeline.inspection import as_json
        from hounsfield.pipeline.inspection import inspect as inspect_inputs

        progress = Progress(quiet=quiet)
        rows = inspect_inputs(
            inputs,
            read_pixels=not headers_only,
            kernel=load_config(config).series.kernel,
            on_file=progress.files_examined,
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
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.config import load_config
        from hounsfield.pipeline.conversion import convert as convert_series

        kernel = load_config(config).series.kernel
        volume = convert_series(source, out, series_uid=series, grid=grid, kernel=kernel)
        if not quiet:
            for notice in volume.notices:
                typer.echo(f"{notice.code}: {notice.message}", err=True)
            typer.echo(out)


@app.command()
def status(out: Path, json: Json = False, debug: Debug = False) -> None:
    """Tell how far a run is: counts, rate, time left, failures by reason."""
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from hounsfield.pipeline.batch.status import read_status

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
    from hounsfield.pipeline.cli.errors import ending

    with ending(debug=debug):
        from dataclasses import replace
        from typing import get_args

        from hounsfield.data.phantom import SMALL, PhantomSettings, make_phantom, write_phantom
        from hounsfield.data.phantom.writing import Format
        from hounsfield.pipeline.errors import writing_to

        settings = replace(SMALL if size == "small" else PhantomSettings(), nodule_count=nodules)
        formats = get_args(Format) if form == "all" else (form,)
        with writing_to(out):
            write_phantom(make_phantom(seed, settings=settings), out, formats=formats)
        if not quiet:
            typer.echo(out)
