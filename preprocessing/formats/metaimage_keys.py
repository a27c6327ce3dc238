"""The keys of a MetaImage header as text, and their values as numbers and flags."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HEADER_BYTES: Final = 64 * 1024

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Some editors put it before the first key of a text in UTF-8."""


@dataclass(frozen=True, slots=True)
class MetaImageKeys:
    """The keys of one header.

    Attributes:
        values: The text behind each key; keys in lower case.
        path: The file, for errors.
    """

    values: Mapping[str, str]
    path: str

    def text(self, key: str, default: str = "") -> str:
        """Returns the value of a key as it stands in the header.

        Args:
            key: The key in lower case.
            default: The value where the key is absent.
        """
        return self.values.get(key, default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Returns whether a key is true, in any spelling of MetaIO.

        Args:
            key: The key in lower case.
            default: The answer where the key is absent.
        """
        return self.text(key).lower() in {"true", "1", "yes"} if key in self.values else default

    def numbers(
        self, key: str, count: int, default: tuple[float, ...] | None = None
    ) -> tuple[float, ...]:
        """Returns the finite numbers behind a key.

        Args:
            key: The key in lower case.
            count: How many numbers there must be.
            default: The numbers where the key is absent; None if it must be there.

        Raises:
            SeriesError: There are others, or as many as `count` are not there.
        """
        if key not in self.values and default is not None:
            return default
        try:
            numbers = tuple(float(word) for word in self.text(key).split())
        except ValueError:
            numbers = ()
        if len(numbers) != count or not np.isfinite(numbers).all():
            msg = f"{key} must be {count} numbers, got {self.text(key, 'nothing')!r}"
            raise SeriesError(Reason.UNREADABLE, msg, path=self.path)
        return numbers

    def whole_numbers(
        self, key: str, count: int, default: tuple[int, ...] | None = None
    ) -> tuple[int, ...]:
        """Returns the whole numbers behind a key; ``5.0`` is one.

        Args:
            key: The key in lower case.
            count: How many numbers there must be.
            default: The numbers where the key is absent; None if it must be there.

        Raises:
            SeriesError: There are others, or as many as `count` are not there.
        """
        numbers = self.numbers(key, count, default)
        if any(number != int(number) for number in numbers):
            msg = f"{key} must be {count} whole numbers, got {self.text(key)!r}"
            raise SeriesError(Reason.UNREADABLE, msg, path=self.path)
        return tuple(int(number) for number in numbers)

    def numbers_by_spelling(
        self, spellings: tuple[str, ...], count: int
    ) -> tuple[float, ...] | None:
        """Returns the numbers behind a key that versions of MetaIO spell differently.

        Args:
            spellings: The keys in lower case, of which any may be there.
            count: How many numbers there must be.

        Returns:
            The numbers; None if no spelling is there.

        Raises:
            SeriesError: Two spellings have different numbers.
        """
        stated = {key: self.numbers(key, count) for key in spellings if key in self.values}
        if len(set(stated.values())) > 1:
            pairs = ", ".join(f"{key} = {self.text(key)}" for key in stated)
            msg = f"The header contradicts itself: {pairs}; convert the series again"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=self.path)
        return next(iter(stated.values()), None)


def read_keys(file: BinaryIO, path: str) -> MetaImageKeys:
    """Reads the lines up to ElementDataFile, which is always the last.

    Args:
        file: Open at its first byte; afterwards at the first byte behind the header.
        path: The file, for errors.

    Returns:
        Every key up to that one, with its value.

    Raises:
        SeriesError: There is no such line, or a key is stated twice with different values.
    """
    keys: dict[str, str] = {}
    while "elementdatafile" not in keys:
        line = file.readline(MAX_HEADER_BYTES)
        if not line or file.tell() > MAX_HEADER_BYTES:
            msg = "The MetaImage header must end with ElementDataFile, it does not"
            raise SeriesError(Reason.TRUNCATED, msg, path=path)
        if not keys:
            line = line.removeprefix(BYTE_ORDER_MARK)
        name, _, text = os.fsdecode(line).partition("=")
        key, value = name.strip().lower(), text.strip()
        if keys.get(key, value) != value and key != "comment":
            msg = f"The header states {key} twice, as {keys[key]!r} and {value!r}; convert it again"
            raise SeriesError(Reason.INCONSISTENT_GEOMETRY, msg, path=path)
        keys[key] = value
    return MetaImageKeys(keys, path)
