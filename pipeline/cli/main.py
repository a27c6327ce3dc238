"""The command ``hounsfield`` and its subcommands."""

from typing import Annotated

import typer

from hounsfield.pipeline.cli import evaluation_commands, model_commands, study_commands

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(study_commands.app)
app.add_typer(model_commands.app)
app.add_typer(model_commands.models_app, name="models")
app.add_typer(evaluation_commands.app, name="evaluate")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"hounsfield {version('hounsfield')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Find, measure and classify lung nodules on chest CT.

    Research use only: not a medical device.
    """
    del version  # handled by its callback


def main() -> None:
    """Run the command line; the console script ``hounsfield`` calls this."""
    app()
