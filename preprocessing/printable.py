"""Text from files as text that can be printed and stored, whatever bytes it consists of."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

UNPRINTABLE = (
    r"\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: line ends, and the escape sequences of terminals
    r"\u2028\u2029"  # line and paragraph separator
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn the direction of what follows
    r"\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"  # unseen
    r"\U000e0000-\U000e007f"  # tags: unseen letters
    r"\ud800-\udfff"  # lone surrogates: bytes of a file name that are not UTF-8
)
"""The characters that do not stay in their place when they are printed, inside a regex's [...]."""

_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]")
_NOT_A_BYTE = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
"""Surrogates that stand for no byte: they come from JSON and YAML, never from a file name."""
_UNPRINTABLE_IN_JSON = re.compile(f"(?!\n)[{UNPRINTABLE}]")


def printable_path(path: Path | str) -> str:
    r"""Returns a path, or a sentence that quotes one, with bytes that are not UTF-8 as ``\xe9``.

    Discs written in Latin-1 or GBK have such names. Python keeps their bytes as lone surrogates,
    which neither JSON nor SQLite accepts.

    Args:
        path: A path, or any text, with or without lone surrogates.
    """
    text = _NOT_A_BYTE.sub(lambda match: escaped(match[0]), os.fspath(path))
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def file_name(path: str) -> str:
    """Returns the last part of a path, for a sentence that names one file of several.

    Args:
        path: A path as text; a member of an archive as ``archive.zip!folder/member``.
    """
    return re.split(r"[/!]", path)[-1]


def printable_text(text: str) -> str:
    r"""Returns text on one line, with control characters as ``\x1b``, ``\x0a`` or ``\u202e``.

    A header, a file name or a configuration may hold anything: a line end that forges a line of the
    log, an escape sequence that clears the terminal, a mark that turns the direction of the line.
    What prints text that may come from a file passes it through here.

    Args:
        text: One line, or a piece of one; lone surrogates stand for the bytes of a file name.
    """
    return _UNPRINTABLE.sub(lambda match: _escape(match[0]), text)


def printable_json(document: str) -> str:
    r"""Returns a JSON document with control characters as ``\u001b``, which means the same.

    Args:
        document: Indented JSON; its line ends stay.
    """
    return _UNPRINTABLE_IN_JSON.sub(lambda match: json.dumps(match[0])[1:-1], document)


def escaped(character: str) -> str:
    r"""Returns the escape of a character in Python's notation: ``\x1b``, ``\u202e``.

    Args:
        character: Any one character; whether it needs an escape is the caller's to know.
    """
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape(character: str) -> str:
    """A byte that is not UTF-8 is shown as the byte, as `printable_path` shows it."""
    code = ord(character)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else escaped(character)
