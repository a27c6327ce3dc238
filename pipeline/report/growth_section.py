"""The entries of the growth section: one for each nodule, and what goes for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.pipeline.analysis.growth.change import GrowthStatus
from hounsfield.pipeline.report.filenames import growth_picture_name
from hounsfield.pipeline.report.growth_schema import (
    EarlierNoduleDocument,
    EarlierStudyDocument,
    NoduleChangeDocument,
)

if TYPE_CHECKING:
    from hounsfield.models.contracts import Candidate, Finding, WorldPoint
    from hounsfield.models.inference.outlines import SegmentedNodule
    from hounsfield.pipeline.analysis.growth.change import NoduleSize, SizeChange
    from hounsfield.pipeline.analysis.growth.study_nodules import StudyNodules
    from hounsfield.preprocessing.volume import Volume

THICKNESS_RATIO = 2.0
"""Slices so many times thicker in one study than in the other measure volumes otherwise."""

NOT_IN_EARLIER = "Its place is not in the images of the earlier study."
NOT_IN_LATER = "Its place is not in the images of this study."
NOT_MEASURED = "It has no outline in one of the studies, so that it was not measured twice."
PART_SOLID = (
    "It is part-solid in one of the studies at least: its outline may hold all of it in one and "
    "less of the ground glass in the other. Compare the pictures before trusting the change."
)
WAS_A_MARK = "The earlier study has it as a mark below the operating point."

_MM_DIGITS, _MEASURED_DIGITS, _SHARE_DIGITS, _DAYS_DIGITS, _SCORE_DIGITS = 2, 3, 4, 1, 6


@dataclass(frozen=True, slots=True, eq=False)
class EarlierNodule:
    """A nodule in the earlier study: a finding, or a mark below the operating point."""

    mark: Candidate | Finding
    size: NoduleSize | None
    outlined: SegmentedNodule
    is_finding: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A finding beside what the earlier study has in its place.

    Attributes:
        number: Of the finding, from 1.
        place_world_mm: Where it lies in the earlier study.
        then: What is there; None where there is nothing.
        change: None where it was not measured twice.
        inside: Whether the earlier images show the place.
    """

    number: int
    place_world_mm: WorldPoint
    then: EarlierNodule | None
    change: SizeChange | None
    inside: bool


def finding_entry(one: Compared) -> NoduleChangeDocument:
    """The entry of a finding of this study."""
    status, reason = _status(one)
    change = one.change
    if change is not None and change.part_solid:
        reason = PART_SOLID
    if one.then is not None and not one.then.is_finding:
        reason = f"{reason} {WAS_A_MARK}".strip()
    doubling_time_days = None if change is None else change.doubling_time_days
    return NoduleChangeDocument(
        finding=one.number,
        status=status,
        reason=reason,
        earlier=None if one.then is None else _nodule_entry(one.then),
        earlier_place_world_mm=_rounded(one.place_world_mm) if one.inside else None,
        volume_change=None if change is None else round(change.volume_change, _SHARE_DIGITS),
        doubling_time_days=(
            None if doubling_time_days is None else round(doubling_time_days, _DAYS_DIGITS)
        ),
        diameter_change_mm=None if change is None else change.diameter_change_mm,
        lung_rads_growth=None if change is None else change.course == "growing",
        picture=growth_picture_name(one.number) if one.inside else None,
    )


def not_seen_again_entry(
    then: EarlierNodule, place_world_mm: WorldPoint, mark: Candidate | None, *, inside: bool
) -> NoduleChangeDocument:
    """The entry of an earlier finding that is none now.

    Args:
        then: The earlier finding.
        place_world_mm: Where it would lie in this study.
        mark: A candidate of this study that lies there.
        inside: Whether the images of this study show the place.
    """
    reason = "" if inside else NOT_IN_LATER
    if inside and mark is not None:
        reason = f"A mark below the operating point lies there (score {mark.score:.3f})."
    return NoduleChangeDocument(
        finding=None,
        status=GrowthStatus.NOT_SEEN_AGAIN if inside else GrowthStatus.NOT_COMPARABLE,
        reason=reason,
        earlier=_nodule_entry(then),
        place_world_mm=_rounded(place_world_mm) if inside else None,
    )


def study_entry(earlier: StudyNodules, days: int) -> EarlierStudyDocument:
    """Which study was compared."""
    facts = earlier.volume.series
    return EarlierStudyDocument(
        study_uid=facts.study_uid,
        series_uid=facts.series_uid,
        study_date=facts.study_date,
        days=days,
        slice_thickness_mm=facts.slice_thickness_mm,
        findings=len(earlier.findings),
    )


def cautions(later: Volume, earlier: Volume) -> tuple[str, ...]:
    """What makes the volumes of the two studies less comparable."""
    thin, thick = sorted(
        max(one.series.slice_thickness_mm or 0.0, one.spacing_mm[2]) for one in (later, earlier)
    )
    if thick <= THICKNESS_RATIO * thin:
        return ()
    told = f"The slices of one study are {thick:.3g} mm thick, of the other {thin:.3g} mm"
    return (f"{told}: volumes are hardly comparable.",)


def _status(one: Compared) -> tuple[GrowthStatus, str]:
    """The status, and why it is not more than that."""
    if one.change is not None:
        return one.change.status, ""
    if not one.inside:
        return GrowthStatus.NOT_COMPARABLE, NOT_IN_EARLIER
    if one.then is None:
        return GrowthStatus.NEW, ""
    return GrowthStatus.NOT_COMPARABLE, NOT_MEASURED


def _nodule_entry(then: EarlierNodule) -> EarlierNoduleDocument:
    size = then.size
    return EarlierNoduleDocument(
        centre_world_mm=_rounded(then.mark.centre_world_mm),
        diameter_mm=round(then.mark.diameter_mm, _MM_DIGITS),
        score=round(then.mark.score, _SCORE_DIGITS),
        is_finding=then.is_finding,
        volume_mm3=None if size is None else round(size.volume_mm3, _MEASURED_DIGITS),
        mean_diameter_mm=None if size is None else round(size.mean_diameter_mm, _MEASURED_DIGITS),
    )


def _rounded(place_world_mm: WorldPoint) -> WorldPoint:
    x, y, z = (round(value, _MM_DIGITS) for value in place_world_mm)
    return x, y, z
