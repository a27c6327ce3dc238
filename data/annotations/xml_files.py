"""Reads XML files of annotations: without namespaces, and without the entities that do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from pathlib import Path


def read_xml(path: Path) -> ET.Element:
    """Reads a file and takes the namespace off every tag.

    Raises:
        SeriesError: It is not whole XML, cannot be read, or declares a document type: none of
            these formats needs one, and entities could grow without bound.
    """
    try:
        content = path.read_bytes()
        if b"<!DOCTYPE" in content:
            msg = f"{path} declares a document type, which annotations do not need; remove it"
            raise SeriesError(Reason.UNREADABLE, msg)
        root = ET.fromstring(content)  # noqa: S314 - no document type, so no entities
    except ET.ParseError as error:
        msg = f"{path} is not whole XML: {error}; get the file anew"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text_of(parent: ET.Element, tag: str, path: Path) -> str:
    """The text of a child or descendant (``a/b``) that must be there.

    Raises:
        SeriesError: It is not there, or empty.
    """
    text = (parent.findtext(tag) or "").strip()
    if not text:
        msg = f"{path}: <{parent.tag}> must hold <{tag}>, but it is not there or empty"
        raise SeriesError(Reason.UNREADABLE, msg)
    return text


def number_of(parent: ET.Element, tag: str, path: Path) -> float:
    """The number in a child or descendant that must be there.

    Raises:
        SeriesError: It is not there, or no number.
    """
    text = text_of(parent, tag, path)
    try:
        return float(text)
    except ValueError as error:
        msg = f"{path}: <{tag}> must be a number, got {text!r}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
