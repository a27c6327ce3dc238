"""Paths as text that can be printed and stored, whatever bytes a file's name is made of."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def printable_path(path: Path | str) -> str:
    r"""Gives a path, or a sentence that holds one, with bytes that are no UTF-8 as ``\xe9``.

    Discs written in Latin-1 or GBK have such names; Python keeps their bytes as lone surrogates,
    which neither JSON nor SQLite take.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")
