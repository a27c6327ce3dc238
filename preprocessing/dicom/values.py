"""Values out of raw DICOM elements: tolerant of bad padding, wrong VRs and wrong encodings."""

from __future__ import annotations

import math
import sys
import warnings
from typing import TYPE_CHECKING

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

SPECIFIC_CHARACTER_SET = 0x00080005


class Elements:
    """The elements of a data set as they stand in the file, quick to look up."""

    __slots__ = ("_dataset", "_raw")

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._raw = {int(element.tag): element for element in dataset.values()}

    def raw_bytes(self, tag: int) -> bytes:
        """The value's bytes; empty where there are none."""
        element = self._raw.get(tag)
        value = None if element is None else element.value
        return value if isinstance(value, bytes) else b""

    def is_little_endian(self, tag: int) -> bool:
        """The byte order of an element's value."""
        element = self._raw.get(tag)
        return element.is_little_endian if isinstance(element, RawDataElement) else True

    def items(self, tag: int) -> list[Elements]:
        """The items of a sequence; empty where there is none."""
        value = self._dataset[tag].value if tag in self._raw else None
        return [Elements(item) for item in value] if isinstance(value, Sequence) else []


def uid(elements: Elements, tag: int) -> str:
    """A unique identifier, without its padding."""
    return sys.intern(elements.raw_bytes(tag).strip(b" \0").decode("ascii", "replace"))


def codes(elements: Elements, tag: int) -> tuple[str, ...]:
    """Code strings, upper case, without padding; empty where there are none."""
    joined = elements.raw_bytes(tag).strip(b" \0").decode("ascii", "replace").upper()
    return tuple(sys.intern(part.strip()) for part in joined.split("\\")) if joined else ()


def text(elements: Elements, tag: int) -> str:
    """Free text in the data set's character set; undecodable bytes are replaced."""
    value = elements.raw_bytes(tag).strip(b" \0")
    if value.isascii() and b"\x1b" not in value:
        return sys.intern(value.decode("ascii"))
    declared = elements.raw_bytes(SPECIFIC_CHARACTER_SET).decode("ascii", "replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            encodings = convert_encodings([part.strip(" \0") for part in declared.split("\\")])
            return sys.intern(decode_bytes(value, encodings, set()))
    except (LookupError, UnicodeError, ValueError):
        return sys.intern(value.decode("latin-1"))


def numbers(elements: Elements, tag: int) -> tuple[float, ...]:
    """Decimal strings as finite numbers; empty where one of them is none."""
    value = elements.raw_bytes(tag).strip(b" \0")
    if not value:
        return ()
    try:
        parsed = tuple(float(part.strip(b" \0")) for part in value.split(b"\\"))
    except ValueError:
        return ()
    return parsed if all(map(math.isfinite, parsed)) else ()


def number(elements: Elements, tag: int) -> float | None:
    """The first decimal string, or None."""
    values = numbers(elements, tag)
    return values[0] if values else None


def integer(elements: Elements, tag: int) -> int | None:
    """The first integer string, or None."""
    value = number(elements, tag)
    return None if value is None else int(value)


def unsigned_short(elements: Elements, tag: int) -> int | None:
    """The first unsigned 16-bit number, or None."""
    value = elements.raw_bytes(tag)
    if len(value) < 2:
        return None
    return int.from_bytes(value[:2], "little" if elements.is_little_endian(tag) else "big")
