"""What several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[list[Path], typer.Argument(help="Files and folders, in any mixture.")]
Out = Annotated[Path, typer.Option("--out", help="Where results go; made where it is missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Print a line for each series.")]
Config = Annotated[
    str, typer.Option("--config", help="A name in configs/, or a YAML file with what differs.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
