"""Random changes of one element of a data set."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from pydicom.datadict import keyword_for_tag

from benchmarks.mutations.changes import change_bytes, change_integer, change_number, change_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from benchmarks.mutations.elements import Element, Encoding


def name_of_tag(tag: int) -> str:
    """The keyword of an element, or its group and element number."""
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def change_element(element: Element, rng: Random, encoding: Encoding) -> tuple[str, Element | None]:
    """Changes the value of an element, its VR or its tag, or removes it.

    Args:
        element: An element of any VR.
        rng: Decides everything.
        encoding: Gives the byte order of numbers.

    Returns:
        What was done, and the new element; None if it was removed.
    """
    if rng.random() < 0.08:
        return "removed", None
    order = encoding.order(element.tag)
    value = element.value
    is_short = len(value) == 2 and not (value.isalnum() or value.endswith((b" ", b"\0")))
    if element.vr == b"US" or (not element.vr and is_short):
        (number,) = struct.unpack(f"{order}H", value)
        how, changed = change_integer(number, rng, bits=16)
        return how, replace(element, value=struct.pack(f"{order}H", changed))
    if element.vr in {b"UL", b"OB"}:
        how, content = change_bytes(value, rng)
        return how, replace(element, value=content)
    text = value.decode("latin-1").rstrip(" \0")
    parts = text.split("\\")
    at = rng.randrange(len(parts))
    changer: Callable[[str, Random], tuple[str, str]] = change_text
    if _is_number(parts[at]) and not text.startswith("1.2."):
        changer = change_number
    how, parts[at] = changer(parts[at], rng)
    encoded = "\\".join(parts).encode("latin-1")
    padding = b"\0" if element.vr == b"UI" else b" "
    return how, replace(element, value=encoded + padding * (len(encoded) % 2))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
