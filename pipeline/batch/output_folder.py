"""Writing so that an output appears whole or not at all: temporary name, fsync, rename."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file, sync

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "KEY_PICTURE",
    "PARTIAL_FOLDER",
    "REPORT_HTML",
    "REPORT_JSON",
    "SEGMENTATION_NII",
    "atomic_file",
    "folder_name",
    "publish_folder",
    "remove_partials",
    "write_partial_folder",
]

PARTIAL_FOLDER = ".partial"
"""Where outputs grow inside the output folder: the same file system, so that a rename is atomic."""

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
KEY_PICTURE, SEGMENTATION_NII = "key_image.png", "segmentation.nii.gz"
"""The files of a series' folder that others look for; a picture of each finding is beside them."""

_MAX_NAME = 80


def folder_name(uid: str) -> str:
    """Makes a folder name of an identifier: letters, digits, dot, dash and underscore stay.

    A name that had to be changed gets a hash of the identifier, so that two stay two.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", uid)[:_MAX_NAME].strip(".") or "_"
    if safe == uid:
        return safe
    return f"{safe}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}"


def write_partial_folder(out: Path, files: Mapping[str, bytes]) -> Path:
    """Writes files into a new temporary folder in `out` and brings them safely to disk.

    Returns:
        The folder, to be given to `publish_folder`.

    Raises:
        OutputError: It cannot be written; nothing of it is left.
    """
    with writing_to(out):
        (out / PARTIAL_FOLDER).mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=out / PARTIAL_FOLDER))
        folder.chmod(0o755)  # mkdtemp's own 0700 would lock colleagues out of the report
        try:
            for name, content in files.items():
                (folder / name).write_bytes(content)
                sync(folder / name)
            sync(folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return folder


def publish_folder(partial: Path, final: Path) -> None:
    """Renames a folder that was written whole into its place; an older one there goes.

    Raises:
        OutputError: It cannot be renamed.
    """
    with writing_to(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            old = partial.with_name(partial.name + ".old")
            final.rename(old)
            partial.rename(final)
            shutil.rmtree(old)
        else:
            partial.rename(final)
        sync(final.parent)


def remove_partials(out: Path) -> None:
    """Removes what an interrupted run left half written."""
    shutil.rmtree(out / PARTIAL_FOLDER, ignore_errors=True)
