"""`Prior`: the earlier study of the same patient with which a study is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hounsfield.preprocessing.series import Series


@dataclass(frozen=True, slots=True)
class Prior:
    """The study to compare with, or the reason why there is none.

    Attributes:
        series: The earlier study's series, the best first; empty where there is none to use.
        days: Days from the earlier study to the later one; 0 where there is none.
        reason: Why nothing can be compared, in a sentence; empty where there is a study.
    """

    series: tuple[Series, ...] = ()
    days: int = 0
    reason: str = ""
