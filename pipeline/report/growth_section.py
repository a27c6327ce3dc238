"""The growth section of a report, written from the comparison with an earlier study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.pipeline.assessment.interval_change import GrowthStatus
from hounsfield.pipeline.report.filenames import growth_picture_name
from hounsfield.pipeline.report.growth_schema import (
    EarlierNoduleDocument,
    EarlierStudyDocument,
    GrowthDocument,
    NoduleChangeDocument,
)

if TYPE_CHECKING:
    from hounsfield.models.findings import WorldPoint
    from hounsfield.pipeline.assessment.growth import (
        ComparedFinding,
        EarlierNodule,
        EarlierStudy,
        GrowthComparison,
        MissingNodule,
    )
    from hounsfield.preprocessing.volume import Volume

THICKNESS_RATIO = 2.0
"""Slices this many times thicker in one study than in the other bias its volumes."""

NOT_IN_EARLIER = "Its place is not in the images of the earlier study."
NOT_IN_LATER = "Its place is not in the images of this study."
NOT_MEASURED = "It has no outline in one of the studies, so it was not measured twice."
PART_SOLID = (
    "It is part-solid in at least one of the studies: its outline may hold all of it in one and "
    "less of the ground glass in the other. Compare the pictures before trusting the change."
)
BELOW_OPERATING_POINT = "The earlier study has it as a candidate below the operating point."

_MM_DIGITS, _MEASURED_DIGITS, _FRACTION_DIGITS, _DAYS_DIGITS, _SCORE_DIGITS = 2, 3, 4, 1, 6


def growth_document(growth: GrowthComparison, volume: Volume) -> GrowthDocument:
    """Write the growth section.

    Args:
        growth: The comparison with the earlier study, or why there is none.
        volume: The series of this report on its native grid.

    Returns:
        The section, with the findings in their order and then what is not seen again.
    """
    study = growth.earlier
    if study is None:
        return GrowthDocument(earlier=None, reason=growth.reason)
    entries = [_finding_entry(finding) for finding in growth.findings or ()]
    entries += [_missing_entry(nodule) for nodule in growth.missing]
    return GrowthDocument(
        earlier=_study_entry(study),
        reason=growth.reason,
        lung_overlap=round(study.lung_overlap, 3),
        vessel_correlation=round(study.vessel_correlation, 3),
        cautions=_cautions(volume, study.volume),
        nodules=tuple(entries),
    )


def _finding_entry(finding: ComparedFinding) -> NoduleChangeDocument:
    """The entry of a finding of this study."""
    status, reason = _status(finding)
    change = finding.change
    if change is not None and change.part_solid:
        reason = PART_SOLID
    if finding.earlier is not None and not finding.earlier.is_finding:
        reason = f"{reason} {BELOW_OPERATING_POINT}".strip()
    doubling_time_days = None if change is None else change.doubling_time_days
    return NoduleChangeDocument(
        finding=finding.number,
        status=status,
        reason=reason,
        earlier=None if finding.earlier is None else _nodule_entry(finding.earlier),
        earlier_place_world_mm=_rounded(finding.earlier_world_mm) if finding.inside else None,
        volume_change=None if change is None else round(change.volume_change, _FRACTION_DIGITS),
        doubling_time_days=(
            None if doubling_time_days is None else round(doubling_time_days, _DAYS_DIGITS)
        ),
        diameter_change_mm=None if change is None else change.diameter_change_mm,
        lung_rads_growth=None if change is None else change.diameter_change == "growing",
        picture=growth_picture_name(finding.number) if finding.inside else None,
    )


def _missing_entry(nodule: MissingNodule) -> NoduleChangeDocument:
    """The entry of an earlier finding that is none now."""
    reason = "" if nodule.inside else NOT_IN_LATER
    if nodule.inside and nodule.candidate is not None:
        score = nodule.candidate.score
        reason = f"A candidate below the operating point lies there (score {score:.3f})."
    return NoduleChangeDocument(
        finding=None,
        status=GrowthStatus.NOT_SEEN_AGAIN if nodule.inside else GrowthStatus.NOT_COMPARABLE,
        reason=reason,
        earlier=_nodule_entry(nodule.earlier),
        place_world_mm=_rounded(nodule.world_mm) if nodule.inside else None,
    )


def _study_entry(earlier: EarlierStudy) -> EarlierStudyDocument:
    facts = earlier.volume.series
    return EarlierStudyDocument(
        study_uid=facts.study_uid,
        series_uid=facts.series_uid,
        study_date=facts.study_date,
        days=earlier.days,
        slice_thickness_mm=facts.slice_thickness_mm,
        findings=earlier.findings,
    )


def _cautions(later: Volume, earlier: Volume) -> tuple[str, ...]:
    """What makes the volumes of the two studies less comparable."""
    thin, thick = sorted(
        max(volume.series.slice_thickness_mm or 0.0, *volume.spacing_mm)
        for volume in (later, earlier)
    )
    if thick <= THICKNESS_RATIO * thin:
        return ()
    thicknesses = f"The slices of one study are {thick:.3g} mm thick, of the other {thin:.3g} mm"
    return (f"{thicknesses}: their volumes are hardly comparable.",)


def _status(finding: ComparedFinding) -> tuple[GrowthStatus, str]:
    """The status, and the reason where it was not compared."""
    if finding.change is not None:
        return finding.change.status, ""
    if not finding.inside:
        return GrowthStatus.NOT_COMPARABLE, NOT_IN_EARLIER
    if finding.earlier is None:
        return GrowthStatus.NEW, ""
    return GrowthStatus.NOT_COMPARABLE, NOT_MEASURED


def _nodule_entry(nodule: EarlierNodule) -> EarlierNoduleDocument:
    candidate, size = nodule.candidate, nodule.size
    return EarlierNoduleDocument(
        centre_world_mm=_rounded(candidate.centre_world_mm),
        diameter_mm=round(candidate.diameter_mm, _MM_DIGITS),
        score=round(candidate.score, _SCORE_DIGITS),
        is_finding=nodule.is_finding,
        volume_mm3=None if size is None else round(size.volume_mm3, _MEASURED_DIGITS),
        mean_diameter_mm=None if size is None else round(size.mean_diameter_mm, _MEASURED_DIGITS),
    )


def _rounded(world_mm: WorldPoint) -> WorldPoint:
    x, y, z = (round(value, _MM_DIGITS) for value in world_mm)
    return x, y, z
