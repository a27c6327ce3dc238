"""Reads XML files of annotations: without namespaces, and without document types."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pathlib import Path


def read_xml(path: Path) -> ET.Element:
    """Reads a file and removes the namespace from every tag.

    Args:
        path: An XML file of any encoding.

    Returns:
        The root element.

    Raises:
        SeriesError: It is not well-formed, cannot be read, or declares a document type: none of
            these formats needs one, and its entities could grow without bound.
    """
    try:
        content = path.read_bytes()
        if b"<!DOCTYPE" in content:
            msg = f"{path} declares a document type, which annotations do not need; remove it"
            raise SeriesError(Reason.UNREADABLE, msg)
        root = ET.fromstring(content)  # noqa: S314 - no document type, so no entities
    except ET.ParseError as error:
        msg = f"{path} is not well-formed XML: {error}; download the file again"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(parent: ET.Element, tag: str, path: Path) -> str:
    """Gives the text of a required child or descendant.

    Args:
        parent: The element to search.
        tag: Path of the child below `parent`, such as ``a/b``.
        path: The file, for messages.

    Returns:
        The text, stripped of blanks.

    Raises:
        SeriesError: The element is missing or empty.
    """
    text = (parent.findtext(tag) or "").strip()
    if not text:
        msg = f"{path}: <{parent.tag}> must hold <{tag}>, but it is missing or empty"
        raise SeriesError(Reason.UNREADABLE, msg)
    return text


def number_of(parent: ET.Element, tag: str, path: Path) -> float:
    """Gives the number in a required child or descendant.

    Args:
        parent: The element to search.
        tag: Path of the child below `parent`, such as ``a/b``.
        path: The file, for messages.

    Returns:
        The number; ``nan`` and ``inf`` are numbers here.

    Raises:
        SeriesError: The element is missing, or does not hold a number.
    """
    text = text_of(parent, tag, path)
    try:
        return float(text)
    except ValueError as error:
        msg = f"{path}: <{tag}> must be a number, got {text!r}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
