"""Paths as text that can be printed and stored, whatever bytes a file name consists of."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def printable_path(path: Path | str) -> str:
    r"""Returns a path, or a sentence that quotes one, with bytes that are not UTF-8 as ``\xe9``.

    Discs written in Latin-1 or GBK have such names. Python keeps their bytes as lone surrogates,
    which neither JSON nor SQLite accepts.

    Args:
        path: A path, or any text, with or without lone surrogates.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def file_name(path: str) -> str:
    """Returns the last part of a path, for a sentence that names one file of several.

    Args:
        path: A path as text; a member of an archive as ``archive.zip!folder/member``.
    """
    return re.split(r"[/!]", path)[-1]
