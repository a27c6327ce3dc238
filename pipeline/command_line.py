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

Inputs = Annotated[list[Path], typer.Argument(help="Files and folders, in any mixture.")]
Out = Annotated[Path, typer.Option("--out", help="Where results go; made where it is missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Print a line for each series.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.command()
def run(
    inputs: Inputs,
    out: Out,
    config: Annotated[
        str, typer.Option(help="A name in configs/, or a YAML file with what differs.")
    ] = "default",
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
        from pipeline.runner import RunOptions
        from pipeline.runner import run as run_studies

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
def inspect(inputs: Inputs, json: Json = False, debug: Debug = False) -> None:
    """Tell what is there, and what a run would make of it."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.inspection import as_json, print_table
        from pipeline.inspection import inspect as inspect_inputs

        rows = inspect_inputs(inputs)
        if json:
            typer.echo(as_json(rows))
        else:
            print_table(rows)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Holds one series.")],
    out: Annotated[Path, typer.Option("--out", help="A .nii.gz, .mha or .npz file.")],
    grid: Annotated[
        Literal["native", "working"], typer.Option(help="As it was scanned, or as networks see it.")
    ] = "native",
    debug: Debug = False,
) -> None:
    """Write one series as a volume in Hounsfield units."""


@app.command()
def status(out: Path, json: Json = False, debug: Debug = False) -> None:
    """Tell how far a run is: counts, rate, time left, failures by reason."""
    from pipeline.ending import ending

    with ending(debug=debug):
        from pipeline.status import read_status

        found = read_status(out)
        typer.echo(found.model_dump_json(indent=2) if json else "\n".join(found.lines()))


def main() -> None:
    """What the console script calls."""
    app()
