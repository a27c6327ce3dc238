"""`NoduleFacts`: what guidelines ask about a nodule, as far as it is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hounsfield.models.measurements.kinds import Margin, Texture

IntervalChange = Literal["new", "growing", "stable"]
Flag = Literal["touches_pleura", "lentiform", "benign_calcification"]

FLAG_WORDS: dict[Flag, str] = {
    "touches_pleura": "touching the pleura",
    "lentiform": "oval, lentiform or triangular in shape",
    "benign_calcification": "benign in its calcification (all through, central, popcorn, rings)",
}
"""How each flag reads in a sentence when it is true."""


class IntervalChanges(NamedTuple):
    """What became of a nodule and of its solid part since an earlier study; None: not compared."""

    nodule: IntervalChange | None = None
    solid_part: IntervalChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleFacts:
    """What is known of one nodule; None is unknown. Lengths are not rounded.

    Attributes:
        mean_diameter_mm: Average of the long and the short axis.
        texture: What it is made of.
        solid_part_mm: The same average for the solid part of a part-solid nodule.
        margin: What its edge looks like.
        touches_pleura: Whether it lies against the pleura.
        lentiform: Whether it is oval, lentiform or triangular.
        benign_calcification: Whether it is calcified all through, centrally, like popcorn or in
            rings.
        course: What became of it since an earlier study; None where it was not compared.
        solid_part_change: The same of the solid part.

    Raises:
        ValueError: A length is not one, or a word is not known.
    """

    mean_diameter_mm: float
    texture: Texture | None = None
    solid_part_mm: float | None = None
    margin: Margin | None = None
    touches_pleura: bool | None = None
    lentiform: bool | None = None
    benign_calcification: bool | None = None
    course: IntervalChange | None = None
    solid_part_change: IntervalChange | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean_diameter_mm) and self.mean_diameter_mm > 0):
            msg = f"mean_diameter_mm must be above 0, got {self.mean_diameter_mm}"
            raise ValueError(msg)
        if self.solid_part_mm is not None and not 0 <= self.solid_part_mm < math.inf:
            msg = f"solid_part_mm must be 0 or more, got {self.solid_part_mm}"
            raise ValueError(msg)
        for name, words in (("texture", tuple(Texture)), ("margin", tuple(Margin))):
            word = getattr(self, name)
            if word is not None and word not in words:
                msg = f"{name} must be one of {', '.join(words)}, got {word!r}"
                raise ValueError(msg)
