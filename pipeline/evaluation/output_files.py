"""Writes an evaluation's files into its folder, each whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_files(out: Path, files: Mapping[str, bytes]) -> None:
    """Writes files into a folder, which is made if missing.

    Raises:
        OutputError: It cannot be written.
    """
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        with atomic_file(out / name) as temporary:
            temporary.write_bytes(content)
