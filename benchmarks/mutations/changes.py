"""Random changes of bytes, numbers and texts; each returns what was done in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Changed = tuple[str, bytes]
"""What was done, and the new content."""


def change_bytes(content: bytes, rng: Random, begin: int = 0, end: int | None = None) -> Changed:
    """Flips bits, overwrites, cuts, inserts or removes bytes between two positions.

    Args:
        content: The whole file.
        rng: Decides everything.
        begin: First byte that may be changed.
        end: Byte behind the last that may be changed; None for the end of the file.
    """
    end = len(content) if end is None else end
    if begin >= end:
        return "unchanged", content
    at = rng.randrange(begin, end)
    changed = bytearray(content)
    match rng.choice(("bits", "bits", "bits", "bytes", "bytes", "cut", "inserted", "removed")):
        case "bits":
            for _ in range(rng.choice((1, 1, 1, 2, 8))):
                changed[rng.randrange(begin, end)] ^= 1 << rng.randrange(8)
            return "bits flipped", bytes(changed)
        case "bytes":
            length = min(rng.choice((1, 2, 4, 16)), end - at)
            filler = rng.choice((None, 0, 0xFF))
            changed[at : at + length] = (
                rng.randbytes(length) if filler is None else (bytes([filler]) * length)
            )
            return "bytes overwritten", bytes(changed)
        case "cut":
            return "cut off", bytes(changed[:at])
        case "inserted":
            changed[at:at] = rng.randbytes(rng.choice((1, 2, 3, 16, 100)))
            return "bytes inserted", bytes(changed)
        case _:
            del changed[at : min(end, at + rng.choice((1, 2, 3, 16, 100)))]
            return "bytes removed", bytes(changed)


def change_number(text: str, rng: Random) -> tuple[str, str]:
    """Replaces a number by another one, by no number, or changes one of its digits.

    Args:
        text: The number as it is written.
        rng: Decides everything.
    """
    how = rng.choice(list(_NUMBERS))
    return how, _NUMBERS[how](text, rng)


def change_integer(value: int, rng: Random, *, bits: int) -> tuple[str, int]:
    """Replaces an unsigned integer by another one.

    Args:
        value: The integer.
        rng: Decides everything.
        bits: Its size; the new one has as many.
    """
    how, changed = rng.choice(
        (
            ("0", 0), ("1", 1), ("all bits", -1), ("one less", value - 1), ("one more", value + 1),
            ("half", value // 2), ("double", 2 * value), ("8", 8), ("16", 16), ("32", 32),
            ("a bit flipped", value ^ (1 << rng.randrange(bits))),
        )
    )  # fmt: skip
    return how, changed % (1 << bits)


def change_text(text: str, rng: Random) -> tuple[str, str]:
    """Replaces a text by another one, or changes one of its characters.

    Args:
        text: Any text without its padding.
        rng: Decides everything.
    """
    at = rng.randrange(len(text)) if text else 0
    return rng.choice(
        (
            ("empty", ""),
            ("other text", "OTHER"),
            ("a number", "7"),
            ("very long", text + "A" * 70),
            ("one character", text[:at] + chr(rng.randrange(33, 127)) + text[at + 1 :]),
            ("undecodable", text[:at] + "\xff\xfe" + text[at:]),
            ("control characters", text[:at] + "\n\x1b[2J" + text[at:]),
        )
    )


def first_difference(content: bytes, changed: bytes) -> int:
    """Returns the first byte at which two contents differ.

    Args:
        content: Any bytes.
        changed: Other bytes.
    """
    pairs = enumerate(zip(content, changed, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(content), len(changed)))


def _scaled(factor: float) -> Callable[[str, Random], str]:
    def scaled(text: str, _rng: Random) -> str:
        try:
            value = float(text) * factor
        except ValueError:
            return "0"
        return f"{value:.10g}" if math.isfinite(value) else "0"

    return scaled


def _constant(text: str) -> Callable[[str, Random], str]:
    return lambda _text, _rng: text


def _one_digit(text: str, rng: Random) -> str:
    digits = [at for at, character in enumerate(text) if character.isdigit()]
    if not digits:
        return "5"
    at = rng.choice(digits)
    other = rng.choice([digit for digit in "0123456789" if digit != text[at]])
    return text[:at] + other + text[at + 1 :]


_NUMBERS: dict[str, Callable[[str, Random], str]] = {
    "0": _constant("0"),
    "-1": _constant("-1"),
    "1e9": _constant("1e9"),
    "1e-9": _constant("1e-9"),
    "1e38": _constant("1e38"),
    "NaN": _constant("NaN"),
    "infinite": _constant("-inf"),
    "empty": _constant(""),
    "other text": _constant("abc"),
    "decimal comma": lambda text, _rng: text.replace(".", ",") if "." in text else f"{text},5",
    "double": _scaled(2),
    "tenfold": _scaled(10),
    "negative": _scaled(-1),
    "one digit": _one_digit,
}
