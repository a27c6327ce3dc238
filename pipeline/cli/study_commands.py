"""Commands for studies; each imports its implementation when it is called."""

# typer reads the signatures at run time, so their types are imported plainly.
from json import dumps
from pathlib import Path
from typing import Annotated, Literal

import typer

from hounsfield.pipeline.cli.options import Config, Debug, Inputs, Json, Out, Quiet, Verbose
from hounsfield.pipeline.cli.printing import print_document, print_lines

app = typer.Typer()


@app.command()
def run(
    inputs: Inputs,
    out: Out,
    config: Config = "default",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of worker processes; as configured by default."),
    ] = None,
    clinical: Annotated[
        Path | None,
        typer.Option(
            help="CSV of clinical facts about the patients, for guidelines and risk models."
        ),
    ] = None,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Analyse series again that failed in an earlier run."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Ignore earlier results and analyse everything again.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Analyse every study in the input and write reports; resumes an interrupted run."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.batch.progress import Progress
        from hounsfield.pipeline.batch.run import run as run_studies
        from hounsfield.pipeline.batch.run_summary import RunOptions
        from hounsfield.pipeline.cli.run_output import print_run_json, print_run_summary
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
            print_run_json(out, summary)
        elif not quiet:
            print_run_summary(out, summary)
    raise typer.Exit(summary.exit_code)


@app.command()
def inspect(
    inputs: Inputs,
    headers_only: Annotated[
        bool, typer.Option("--headers-only", help="Read headers only: faster, fewer notices.")
    ] = False,
    config: Config = "default",
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the series found and what `run` would do with each."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.batch.progress import Progress
        from hounsfield.pipeline.cli.inspect_output import print_table
        from hounsfield.pipeline.config import load_config
        from hounsfield.pipeline.inspection import (
            as_json,
            notices_from_headers,
            notices_from_pixels,
        )
        from hounsfield.pipeline.inspection import inspect as inspect_inputs

        progress = Progress(quiet=quiet)
        rows = inspect_inputs(
            inputs,
            kernel=load_config(config).series.kernel,
            on_file=progress.files_examined,
            on_series=None if headers_only else progress.reading,
            notices_of=notices_from_headers if headers_only else notices_from_pixels,
        )
        if json:
            print_document(as_json(rows))
        else:
            print_table(rows)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A file, folder or zip archive.")],
    out: Annotated[Path, typer.Option("--out", help="File to write: .nii.gz, .mha or .npz.")],
    series: Annotated[
        str | None, typer.Option(help="SeriesInstanceUID, where the input holds several series.")
    ] = None,
    grid: Annotated[
        Literal["native", "working"],
        typer.Option(help="The scanner's own grid, or the isotropic grid on which networks run."),
    ] = "native",
    config: Config = "default",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write one series as a volume in Hounsfield units, to compare with other readers."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.config import load_config
        from hounsfield.pipeline.conversion import convert as convert_series

        kernel = load_config(config).series.kernel
        volume = convert_series(source, out, series_uid=series, grid=grid, kernel=kernel)
        if not quiet:
            for notice in volume.notices:
                print_lines(f"{notice.code}: {notice.message}", err=True)
            print_lines(out)


@app.command()
def status(
    out: Annotated[Path, typer.Argument(help="Output folder of a run.")],
    listing: Annotated[
        bool,
        typer.Option("--list", help="List every series instead, with its report and its file."),
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show the progress of a run: counts, rate, time left, failures by reason."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
        from hounsfield.pipeline.batch.status import list_series, read_status

        if listing:
            listed = list_series(out)
            if json:
                print_document(dumps([series.model_dump() for series in listed], indent=2))
            else:
                print_lines(*(series.line() for series in listed))
            return
        state = read_status(out)
        if json:
            print_document(state.model_dump_json(indent=2))
        else:
            print_lines(*state.lines())


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to create.")],
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the person, the scan and the nodules.")
    ] = 1,
    size: Annotated[
        Literal["full", "small"],
        typer.Option(help="full: 512 x 512 x 300 voxels; small: 256 x 256 x 80."),
    ] = "full",
    nodules: Annotated[
        int | None, typer.Option(min=0, max=100, help="Number of nodules; random by default.")
    ] = None,
    form: Annotated[
        Literal["dicom", "luna16", "nifti", "all"],
        typer.Option("--format", help="DICOM series, LUNA16's MetaImage, NIfTI, or all of them."),
    ] = "dicom",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make a synthetic chest CT with known nodules."""
    from hounsfield.pipeline.cli.errors import exit_on_error

    with exit_on_error(debug=debug):
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
            print_lines(out)
