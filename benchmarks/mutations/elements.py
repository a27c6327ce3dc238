"""Splits a small DICOM file into its outermost elements, whose values stay bytes, and joins them.

A parser of whole data sets would take most of the benchmark's time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREAMBLE_BYTES = 132
PIXEL_DATA = 0x7FE00010
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT"})
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the data set or of the file meta information.

    Attributes:
        tag: Group and element number in one integer.
        vr: Value representation; empty in implicit encoding.
        value: Its bytes, in the byte order of the file.
        undefined: Whether its length is written as undefined, as of encapsulated pixels.
    """

    tag: int
    vr: bytes
    value: bytes
    undefined: bool = False


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements behind the file meta information are encoded."""

    implicit: bool = False
    big: bool = False

    def order(self, tag: int) -> str:
        """The byte order of an element's numbers; group 0002 is always little endian."""
        return ">" if self.big and tag >> 16 != 2 else "<"

    def has_vr(self, tag: int) -> bool:
        """Whether an element's value representation is written."""
        return not self.implicit or tag >> 16 == 2


def split_elements(content: bytes, encoding: Encoding) -> list[Element]:
    """Returns the elements of a file with a preamble and with sequences of defined length.

    Args:
        content: The whole file, not deflated.
        encoding: As its transfer syntax says.
    """
    elements = []
    at = PREAMBLE_BYTES
    while at < len(content):
        group = int.from_bytes(content[at : at + 2], "little")
        order = ">" if encoding.big and group != 2 else "<"
        tag = int.from_bytes(
            b"".join(number.to_bytes(2) for number in struct.unpack_from(f"{order}2H", content, at))
        )
        vr = content[at + 4 : at + 6] if encoding.has_vr(tag) else b""
        if vr and vr not in _LONG:
            (length,) = struct.unpack_from(f"{order}H", content, at + 6)
            at += 8
        else:
            (length,) = struct.unpack_from(f"{order}I", content, at + (8 if vr else 4))
            at += 12 if vr else 8
        undefined = length == _UNDEFINED
        value = content[at:] if undefined else content[at : at + length]
        elements.append(Element(tag, vr, value, undefined))
        at += len(value)
    return elements


def join_elements(elements: Sequence[Element], encoding: Encoding) -> tuple[bytes, list[int]]:
    """Returns the file of some elements, and where each of them begins.

    Args:
        elements: In the order in which they are written.
        encoding: As the transfer syntax says.
    """
    parts = [bytes(128) + b"DICM"]
    begins = []
    at = PREAMBLE_BYTES
    for element in elements:
        order = encoding.order(element.tag)
        length = _UNDEFINED if element.undefined else len(element.value)
        head = struct.pack(f"{order}2H", element.tag >> 16, element.tag & 0xFFFF)
        if not element.vr:
            head += struct.pack(f"{order}I", length)
        elif element.vr in _LONG:
            head += element.vr + b"\0\0" + struct.pack(f"{order}I", length)
        else:
            head += element.vr + struct.pack(f"{order}H", length % 65536)
        begins.append(at)
        parts += [head, element.value]
        at += len(head) + len(element.value)
    return b"".join(parts), begins
