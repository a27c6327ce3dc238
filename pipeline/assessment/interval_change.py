"""Change of a nodule between two studies: volume, doubling time, growth by Lung-RADS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hounsfield.models.kinds import Texture
from hounsfield.pipeline.assessment.guidelines.rules import rounded_mm

if TYPE_CHECKING:
    from hounsfield.models.findings import NoduleMeasurements
    from hounsfield.pipeline.assessment.guidelines.facts import IntervalChange

VOLUME_CHANGE_FROM = 0.25
"""A smaller change of volume may be the measurement's own. The limit of the British Thoracic
Society (Callister et al., Thorax 2015;70 Suppl 2:ii1-ii54) and of NELSON, from patients scanned
twice within minutes (Gietema et al., Radiology 2007;245:888-894: 95 % within -21 and +24 %)."""

GROWTH_ABOVE_MM = 1.5
"""Lung-RADS v2022: mean diameter larger by more than this within 12 months."""

YEAR_DAYS = 365
LEAP_YEAR_DAYS = 366
"""Up to here an increase counts as it is; over a longer time, its part of 12 months counts."""


class GrowthStatus(StrEnum):
    """Change since the earlier study; grown and shrunk are judged by volume."""

    NEW = "new"
    GROWN = "grown"
    STABLE = "stable"
    SHRUNK = "shrunk"
    NOT_SEEN_AGAIN = "not_seen_again"
    NOT_COMPARABLE = "not_comparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleSize:
    """Size of a nodule in one study.

    Attributes:
        volume_mm3: Volume inside its boundary.
        mean_diameter_mm: Average of the long and the short axis on the axial slice.
        texture: Solid, part-solid, non-solid or calcified.
        solid_part_mm: Mean diameter of the solid part; None where it is not part-solid.
    """

    volume_mm3: float
    mean_diameter_mm: float
    texture: Texture
    solid_part_mm: float | None

    @property
    def is_part_solid(self) -> bool:
        """Whether it was called part-solid in this study."""
        return self.texture is Texture.PART_SOLID

    @classmethod
    def of(cls, measurements: NoduleMeasurements | None) -> NoduleSize | None:
        """Take the size from a finding's measurements; None where nothing was measured."""
        if measurements is None:
            return None
        return cls(
            volume_mm3=measurements.volume_mm3,
            mean_diameter_mm=measurements.mean_diameter_mm,
            texture=measurements.texture,
            solid_part_mm=measurements.solid_part_mm,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChange:
    """Change of a nodule that was measured in both studies.

    Attributes:
        status: `GROWN`, `STABLE` or `SHRUNK`, by volume.
        volume_change: Fraction of the earlier volume: 1 is twice as large.
        doubling_time_days: Volume doubling time; None where it has not grown.
        diameter_change_mm: Difference of the mean diameters, each rounded to one decimal.
        diameter_change: ``growing`` or ``stable`` by Lung-RADS' rule for the mean diameter.
        solid_part_change: That rule applied to the solid part, ``new`` where there was none; None
            where there is none now.
        part_solid: Whether it is part-solid in either study: one outline may then hold less of the
            ground glass than the other.
    """

    status: GrowthStatus
    volume_change: float
    doubling_time_days: float | None
    diameter_change_mm: float
    diameter_change: IntervalChange
    solid_part_change: IntervalChange | None
    part_solid: bool


def size_change(earlier: NoduleSize, later: NoduleSize, *, days: int) -> SizeChange:
    """Compare two measurements of one nodule.

    Args:
        earlier: Its size in the earlier study.
        later: Its size in the later study.
        days: Days between the two studies, 1 or more.

    Returns:
        The change by volume and by mean diameter.

    Raises:
        ValueError: There is less than one day between the studies.
    """
    if days < 1:
        msg = f"days must be 1 or more, got {days}"
        raise ValueError(msg)
    change = later.volume_mm3 / earlier.volume_mm3 - 1
    status = GrowthStatus.STABLE
    if abs(change) > VOLUME_CHANGE_FROM:
        status = GrowthStatus.GROWN if change > 0 else GrowthStatus.SHRUNK
    return SizeChange(
        status=status,
        volume_change=change,
        doubling_time_days=(
            doubling_time_days(earlier.volume_mm3, later.volume_mm3, days=days)
            if status is GrowthStatus.GROWN
            else None
        ),
        diameter_change_mm=_larger_by_mm(earlier.mean_diameter_mm, later.mean_diameter_mm),
        diameter_change=_diameter_change(
            earlier.mean_diameter_mm, later.mean_diameter_mm, days=days
        ),
        solid_part_change=_solid_part_change(earlier, later, days=days),
        part_solid=earlier.is_part_solid or later.is_part_solid,
    )


def doubling_time_days(earlier_mm3: float, later_mm3: float, *, days: int) -> float:
    """Compute the volume doubling time: days ln 2 / ln(V2 / V1).

    Schwartz, Cancer 1961;14:1272-1294.

    Args:
        earlier_mm3: Volume in the earlier study.
        later_mm3: Volume in the later study, larger than the earlier one.
        days: Days between the two studies.

    Returns:
        The doubling time in days.
    """
    return days * math.log(2) / math.log(later_mm3 / earlier_mm3)


def _diameter_change(earlier_mm: float, later_mm: float, *, days: int) -> IntervalChange:
    """Whether a diameter has grown as Lung-RADS means it."""
    larger_mm = _larger_by_mm(earlier_mm, later_mm)
    if days > LEAP_YEAR_DAYS:
        larger_mm *= YEAR_DAYS / days
    return "growing" if larger_mm > GROWTH_ABOVE_MM else "stable"


def _solid_part_change(
    earlier: NoduleSize, later: NoduleSize, *, days: int
) -> IntervalChange | None:
    if later.solid_part_mm is None:
        return None
    if earlier.solid_part_mm is not None:
        return _diameter_change(earlier.solid_part_mm, later.solid_part_mm, days=days)
    return "new" if earlier.texture is Texture.NON_SOLID else "stable"


def _larger_by_mm(earlier_mm: float, later_mm: float) -> float:
    """The difference of both as they are reported: to one decimal."""
    return round(rounded_mm(later_mm, 1) - rounded_mm(earlier_mm, 1), 1)
