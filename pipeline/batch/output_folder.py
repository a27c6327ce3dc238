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

_MAX_NAME = 100
_IDENTIFIER = re.compile(
    r"(?:[0-9]+(?:\.[0-9]+)*|(?:file|series|study)-[0-9a-f]{8,64})(?:#[0-9]+|-part[0-9]+)*"
)
"""A UID (PS3.5 section 9.1), or what stands in its place, with the numbers of parts."""


def folder_name(uid: str) -> str:
    """Turn an identifier into the name of its folder, by which the log names it too.

    Args:
        uid: StudyInstanceUID, SeriesInstanceUID, or whatever a file has in its place.

    Returns:
        A UID as it is, and so an identifier that Hounsfield made; the number of a part behind it
        as ``-2`` for ``#2``. Of anything else, which may be a name, a hash only. Distinct
        identifiers get distinct names.
    """
    match = _IDENTIFIER.fullmatch(uid)
    if match and len(uid) <= _MAX_NAME:
        return uid.replace("#", "-")
    return f"id-{hashlib.sha256(uid.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def content_suffix(content_id: str) -> str:
    """Return what tells images apart from others with the same identifiers.

    Args:
        content_id: Identifies the images of a series, as in `Series.content_id`.

    Returns:
        Twelve hexadecimal digits; the end of the folder's name where the name by UIDs is taken.
    """
    return hashlib.sha256(content_id.encode()).hexdigest()[:12]


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
