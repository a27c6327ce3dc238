"""`hounsfield`: all its commands."""

import typer

from hounsfield.pipeline.cli import evaluation_commands, model_commands, study_commands

app = typer.Typer(
    help="Chest CT in, lung findings out. For research only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(study_commands.app)
app.add_typer(model_commands.app)
app.add_typer(model_commands.models_app, name="models")
app.add_typer(evaluation_commands.app, name="evaluate")


def main() -> None:
    """What the console script calls."""
    app()
