"""`NoduleFacts`: the facts about a nodule that guidelines ask for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hounsfield.models.kinds import Margin, Texture

IntervalChange = Literal["new", "growing", "stable"]
Flag = Literal["touches_pleura", "lentiform", "benign_calcification"]

FLAG_WORDS: dict[Flag, str] = {
    "touches_pleura": "touching the pleura",
    "lentiform": "oval, lentiform or triangular in shape",
    "benign_calcification": "benign in its calcification (all through, central, popcorn, rings)",
}
"""Wording of each flag, when it is true, in a sentence."""


class IntervalChanges(NamedTuple):
    """Interval change of a nodule and of its solid part; None: not compared with a prior study."""

    nodule: IntervalChange | None = None
    solid_part: IntervalChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleFacts:
    """Facts about one nodule; None is unknown. Lengths are not rounded.

    Attributes:
        mean_diameter_mm: Average of the long and the short axis.
        texture: Attenuation type: solid, part-solid or ground-glass.
        solid_part_mm: Average of both axes of the solid part of a part-solid nodule.
        margin: Margin type: smooth, lobulated or spiculated.
        touches_pleura: Whether the nodule is juxtapleural.
        lentiform: Whether the nodule is oval, lentiform or triangular.
        benign_calcification: Whether the calcification is complete, central, popcorn or
            concentric.
        interval_change: Change since the prior study; None where the nodule was not compared.
        solid_part_change: Change of the solid part since the prior study; None likewise.

    Raises:
        ValueError: A length is out of range, or texture or margin is not a known value.
    """

    mean_diameter_mm: float
    texture: Texture | None = None
    solid_part_mm: float | None = None
    margin: Margin | None = None
    touches_pleura: bool | None = None
    lentiform: bool | None = None
    benign_calcification: bool | None = None
    interval_change: IntervalChange | None = None
    solid_part_change: IntervalChange | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean_diameter_mm) and self.mean_diameter_mm > 0):
            msg = f"mean_diameter_mm must be above 0, got {self.mean_diameter_mm}"
            raise ValueError(msg)
        if self.solid_part_mm is not None and not 0 <= self.solid_part_mm < math.inf:
            msg = f"solid_part_mm must be 0 or more, got {self.solid_part_mm}"
            raise ValueError(msg)
        for name, known in (("texture", tuple(Texture)), ("margin", tuple(Margin))):
            value = getattr(self, name)
            if value is not None and value not in known:
                msg = f"{name} must be one of {', '.join(known)}, got {value!r}"
                raise ValueError(msg)
