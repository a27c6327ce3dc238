"""The output folder of a run: names of its folders, and reports published atomically."""

from __future__ import annotations

import hashlib
import re
import shutil
from typing import TYPE_CHECKING

from hounsfield.preprocessing.files.atomic_write import partial_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PARTIAL_FOLDER = ".partial"
"""Unfinished output inside the output folder: on one file system, so that a rename is atomic."""

_MAX_NAME = 80


def folder_name(uid: str) -> str:
    """Turn an identifier into a folder name of letters, digits, dots, dashes and underscores.

    Args:
        uid: StudyInstanceUID, SeriesInstanceUID, or whatever a file has in its place.

    Returns:
        The identifier itself where it is safe. Otherwise its safe characters and a hash of it, so
        that distinct identifiers get distinct names.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", uid)[:_MAX_NAME].strip(".") or "_"
    if safe == uid:
        return safe
    return f"{safe}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}"


def write_partial_folder(out: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a new temporary folder and sync them to disk.

    Args:
        out: Output folder of the run; the temporary folder is made in its `PARTIAL_FOLDER`.
        files: Content of each file by its name.

    Returns:
        The temporary folder, to be given to `publish_folder`.

    Raises:
        OutputError: It cannot be written; nothing of it is left.
    """
    with partial_folder(out / PARTIAL_FOLDER, name="series") as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return folder


def remove_partials(out: Path) -> None:
    """Remove the unfinished output of an interrupted run.

    Args:
        out: Output folder that this process holds.
    """
    shutil.rmtree(out / PARTIAL_FOLDER, ignore_errors=True)
