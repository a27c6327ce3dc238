"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[
    list[Path], typer.Argument(help="Files, folders and zip archives, in any mixture.")
]
Out = Annotated[Path, typer.Option("--out", help="Output folder, created if missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Print one line for each series.")]
Config = Annotated[
    str,
    typer.Option(
        "--config",
        help="A name in configs/, or a YAML file with your changes to the default.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
