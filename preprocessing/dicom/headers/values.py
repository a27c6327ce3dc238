"""Values of raw DICOM elements: tolerant of bad padding, wrong VRs and wrong encodings.

Elements are looked up by the standard's keywords (PS3.6), such as ``PixelSpacing``. A value that is
missing or malformed reads as empty or None.
"""

from __future__ import annotations

import math
import re
import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


_THOUSANDS = re.compile(rb"[+-]?\d{1,3},\d{3}")
"""Digits in which a comma may separate thousands."""


@cache
def tag_of(keyword: str) -> int:
    """Returns the tag of an element, group and element number in one integer.

    Args:
        keyword: As in PS3.6, for instance ``PatientID``.

    Raises:
        KeyError: The standard has no such keyword.
    """
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


class Elements:
    """The elements of a data set as raw bytes, quick to look up."""

    __slots__ = ("_dataset", "_raw")

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._raw = {int(element.tag): element for element in dataset.values()}

    def raw_bytes(self, keyword: str) -> bytes:
        """The bytes of a value; empty if there are none."""
        element = self._raw.get(tag_of(keyword))
        value = None if element is None else element.value
        return value if isinstance(value, bytes) else b""

    def is_little_endian(self, keyword: str) -> bool:
        """The byte order of an element's value."""
        element = self._raw.get(tag_of(keyword))
        return element.is_little_endian if isinstance(element, RawDataElement) else True

    def items(self, keyword: str) -> list[Elements]:
        """The items of a sequence; empty if there is none."""
        tag = tag_of(keyword)
        value = self._dataset[tag].value if tag in self._raw else None
        return [Elements(item) for item in value] if isinstance(value, Sequence) else []


def uid(elements: Elements, keyword: str) -> str:
    """Returns a unique identifier without its padding; empty if there is none.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element of VR UI.
    """
    value = elements.raw_bytes(keyword).strip(b" \0")
    return sys.intern(value.decode("ascii", "backslashreplace"))


def codes(elements: Elements, keyword: str) -> tuple[str, ...]:
    """Returns code strings in upper case without padding; empty if there are none.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element of VR CS.
    """
    joined = elements.raw_bytes(keyword).strip(b" \0").decode("ascii", "replace").upper()
    return tuple(sys.intern(part.strip()) for part in joined.split("\\")) if joined else ()


def text(elements: Elements, keyword: str) -> str:
    """Returns text in the data set's character set; undecodable bytes are replaced.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element with text, or with digits to keep as text (DA, TM, AS).
    """
    value = elements.raw_bytes(keyword).strip(b" \0")
    if value.isascii() and b"\x1b" not in value:
        return sys.intern(value.decode("ascii"))
    declared = elements.raw_bytes("SpecificCharacterSet").decode("ascii", "replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            encodings = convert_encodings([part.strip(" \0") for part in declared.split("\\")])
            return sys.intern(decode_bytes(value, encodings, set()))
    except (LookupError, UnicodeError, ValueError):
        return sys.intern(value.decode("latin-1"))


def numbers(elements: Elements, keyword: str) -> tuple[float, ...]:
    """Returns decimal strings as finite numbers; empty if there are none or any is not one.

    A decimal comma is read as a point, unless it could separate thousands: ``-1024,0`` is -1024,
    ``-1,024`` is not a number.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element of VR DS or IS.
    """
    value = elements.raw_bytes(keyword).strip(b" \0")
    if not value:
        return ()
    try:
        parsed = tuple(_decimal(part.strip(b" \0")) for part in value.split(b"\\"))
    except ValueError:
        return ()
    return parsed if all(map(math.isfinite, parsed)) else ()


def has_decimal_comma(elements: Elements, keyword: str) -> bool:
    """Returns whether numbers were written with a comma and can be read all the same.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element of VR DS.
    """
    return b"," in elements.raw_bytes(keyword) and bool(numbers(elements, keyword))


def _decimal(text: bytes) -> float:
    if b"_" in text:  # Python's digit separator, not DICOM's
        raise ValueError(text)
    if b"," in text and not _THOUSANDS.fullmatch(text) and text.count(b",") == 1:
        text = text.replace(b",", b".")
    return float(text)


def number(elements: Elements, keyword: str) -> float | None:
    """Returns the first decimal string as a number; None if there is none.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element of VR DS.
    """
    values = numbers(elements, keyword)
    return values[0] if values else None


def integer(elements: Elements, keyword: str) -> int | None:
    """Returns the first integer string as a number; None if there is none.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element of VR IS.
    """
    value = number(elements, keyword)
    return None if value is None else int(value)


def unsigned_short(elements: Elements, keyword: str) -> int | None:
    """Returns the first unsigned 16-bit number; None if there is none.

    Args:
        elements: A data set, or an item of a sequence.
        keyword: Keyword of an element of VR US, or of one that may be US or SS.
    """
    value = elements.raw_bytes(keyword)
    if len(value) < 2:
        return None
    return int.from_bytes(value[:2], "little" if elements.is_little_endian(keyword) else "big")
