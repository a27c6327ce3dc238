"""The growth section of a report: part of `Report`."""

from __future__ import annotations

from pydantic import Field

from hounsfield.pipeline.assessment.interval_change import GrowthStatus
from hounsfield.preprocessing.documents import Strict

_Point = tuple[float, float, float]


class EarlierStudyDocument(Strict):
    """The study that was compared."""

    study_uid: str
    series_uid: str
    study_date: str
    days: int = Field(ge=1, description="Days from that study to this one.")
    slice_thickness_mm: float | None
    findings: int


class EarlierNoduleDocument(Strict):
    """A nodule as the earlier study shows it, in that study's own places."""

    centre_world_mm: _Point = Field(description="x, y, z in LPS mm of the earlier study.")
    diameter_mm: float
    score: float = Field(ge=0, le=1)
    is_finding: bool = Field(description="False: a candidate below the operating point.")
    volume_mm3: float | None
    mean_diameter_mm: float | None


class NoduleChangeDocument(Strict):
    """The change of one nodule; figures are None where it was not measured twice."""

    finding: int | None = Field(description="Its number in this report; None: not seen again.")
    status: GrowthStatus = Field(description="By volume.")
    reason: str = Field(default="", description="Explains the status, in a sentence.")
    earlier: EarlierNoduleDocument | None = None
    earlier_place_world_mm: _Point | None = Field(
        default=None, description="Place of this finding in the earlier study."
    )
    place_world_mm: _Point | None = Field(
        default=None, description="Place in this study of a nodule that is not seen again."
    )
    volume_change: float | None = Field(
        default=None, description="Fraction of the earlier volume; 1 is twice as large."
    )
    doubling_time_days: float | None = Field(default=None, description="None unless grown.")
    diameter_change_mm: float | None = Field(default=None, description="Of the mean diameter.")
    lung_rads_growth: bool | None = Field(
        default=None, description="Mean diameter more than 1.5 mm larger within 12 months."
    )
    picture: str | None = Field(default=None, description="File beside the report: both studies.")


class GrowthDocument(Strict):
    """The findings of this study compared with the most recent earlier one of the patient."""

    earlier: EarlierStudyDocument | None = Field(description="None: nothing was compared.")
    reason: str = Field(default="", description="Why nothing was compared, in a sentence.")
    lung_overlap: float | None = Field(
        default=None, description="Dice coefficient of the lungs of both studies, registered."
    )
    vessel_correlation: float | None = Field(
        default=None,
        description="Correlation of structures finer than 6 mm in both lungs.",
    )
    cautions: tuple[str, ...] = ()
    nodules: tuple[NoduleChangeDocument, ...] = Field(
        default=(), description="Findings in their order, then nodules not seen again."
    )
