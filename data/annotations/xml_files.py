"""Reads XML files of annotations: in plain encodings, without namespaces and document types."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 8 * 2**20
"""LIDC-IDRI's files hold about 0.3 MB."""

MAX_TAGS = 400_000
"""Opening and closing tags of a file; LIDC-IDRI's have about 40,000."""

MAX_SHOWN_CHARACTERS = 40
"""Of a value that an error shows."""

_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "latin-1": "latin-1",
}
"""Encodings that a file may declare. Text in them shows its markup to a plain search; UTF-16 or
UTF-7 could hide a document type from it."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"""<\?xml\b[^>]*?\bencoding\s*=\s*["']([^"'<>]*)["'][^>]*\?>""")
_DOCUMENT_TYPE = re.compile(r"<!\s*(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)


def read_xml(path: Path) -> ET.Element:
    """Reads a file and removes the namespace from every tag.

    Args:
        path: An XML file in UTF-8, ASCII or Latin-1.

    Returns:
        The root element.

    Raises:
        SeriesError: It cannot be read, is not well-formed, has another encoding than it may, is
            too large, or declares a document type: none of these formats needs one, and its
            entities could grow without bound.
    """
    with as_series_error(path, "The XML file", remedy="download it again", quotes_library=True):
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = _decoded(content)
        if _DOCUMENT_TYPE.search(text):
            msg = "The file declares a document type, which annotations do not need; remove it"
            raise SeriesError(Reason.UNREADABLE, msg)
        if text.count("<") > MAX_TAGS:
            msg = f"The file has more than {MAX_TAGS} tags: it is no file of annotations"
            raise SeriesError(Reason.UNREADABLE, msg)
        try:
            # From a str, so that the parser does not choose an encoding again.
            root = ET.fromstring(text)  # noqa: S314 - no document type, so no entities
        except ET.ParseError as error:
            msg = f"The file is not well-formed XML: {error}; download it again"
            raise SeriesError(Reason.UNREADABLE, msg) from error
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root


def text_of(parent: ET.Element, tag: str, path: Path) -> str:
    """Gives the text of a required child or descendant.

    Args:
        parent: The element to search.
        tag: Path of the child below `parent`, such as ``a/b``.
        path: The file, for the error.

    Returns:
        The text, stripped of blanks.

    Raises:
        SeriesError: The element is missing or empty.
    """
    text = (parent.findtext(tag) or "").strip()
    if not text:
        msg = f"<{parent.tag}> must hold <{tag}>, but it is missing or empty"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return text


def number_of(parent: ET.Element, tag: str, path: Path) -> float:
    """Gives the finite number in a required child or descendant.

    Args:
        parent: The element to search.
        tag: Path of the child below `parent`, such as ``a/b``.
        path: The file, for the error.

    Returns:
        The number.

    Raises:
        SeriesError: The element is missing, or does not hold a finite number.
    """
    text = text_of(parent, tag, path)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        shown = repr(text[:MAX_SHOWN_CHARACTERS])
        msg = f"<{tag}> must be a finite number, got {shown}"
        raise SeriesError(Reason.UNREADABLE, msg, path=path)
    return number


def _decoded(content: bytes) -> str:
    """The text of a file; its declared encoding must be one of `_CODECS`, and be true."""
    if len(content) > MAX_BYTES:
        msg = f"The file is larger than {MAX_BYTES // 2**20} MB: it is no file of annotations"
        raise SeriesError(Reason.UNREADABLE, msg)
    marked = content.startswith(_BYTE_ORDER_MARK)
    body = content.removeprefix(_BYTE_ORDER_MARK)
    declaration = _DECLARATION.match(body)
    declared = declaration[1].decode("ascii", "backslashreplace") if declaration else "utf-8"
    codec = _CODECS.get(declared.strip().lower())
    if codec is None or (marked and codec == "latin-1") or b"\0" in body:
        found = "zero bytes, as in UTF-16" if b"\0" in body else repr(declared[:40])
        msg = f"The file must be in UTF-8, ASCII or ISO-8859-1, got {found}; save it in UTF-8"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    try:
        return body.decode(codec)
    except UnicodeDecodeError as error:
        msg = f"The file is not {declared}: {error.reason} at byte {error.start}; save it in UTF-8"
        raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg) from error
