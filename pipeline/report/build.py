"""Builds the report document of a series from typed results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.findings import NoduleClass
from hounsfield.pipeline.report.filenames import (
    activation_file_name,
    activation_picture_name,
    picture_name,
)
from hounsfield.pipeline.report.growth_section import growth_document
from hounsfield.pipeline.report.schema import (
    ActivationMapDocument,
    CandidateDocument,
    FindingDocument,
    GuidelineDocument,
    LocationDocument,
    NoticeDocument,
    Report,
    RiskDocument,
    SeriesDocument,
    SourceDocument,
    StudyClassDocument,
)
from hounsfield.preprocessing.codes import Verdict
from hounsfield.preprocessing.geometry.slice_geometry import orientation_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.models.findings import Candidate, Finding
    from hounsfield.pipeline.assessment.growth import GrowthComparison
    from hounsfield.pipeline.assessment.proposals import Proposal
    from hounsfield.pipeline.assessment.risk_models import RiskEstimate
    from hounsfield.pipeline.assessment.study_class import StudyClass
    from hounsfield.pipeline.report.schema import ProvenanceDocument, TimesDocument
    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import SourcePixel, Volume

_MM_DIGITS, _MEASURED_DIGITS, _PROBABILITY_DIGITS, _RISK_DIGITS = 2, 3, 6, 4
"""Rounding removes the last bits of the arithmetic, which differ between processors."""

ARRAY_FORMAT = "array"
"""Format of a volume that the Python API was given without files."""


def build_report(
    volume: Volume,
    *,
    series: Series | None,
    notices: Iterable[Notice],
    findings: Sequence[Finding],
    risks: Sequence[Sequence[RiskEstimate]],
    study_class: StudyClass,
    proposals: Sequence[Proposal],
    growth: GrowthComparison | None,
    candidates: Sequence[Candidate],
    provenance: ProvenanceDocument,
    times: TimesDocument,
    refused_risks: Sequence[str] = (),
) -> Report:
    """Build the report document.

    Args:
        volume: The series in HU on its native grid.
        series: The files that it was read from; None for a volume made from an array.
        notices: Notices about the series, in the order in which they arose.
        findings: Findings, best score first; they are numbered from 1.
        risks: Estimates of the risk models for each finding.
        study_class: The class of the study, and the finding that decides it.
        proposals: Categories that guidelines propose.
        growth: Comparison with an earlier study; None where the input holds none.
        candidates: Every candidate, best score first.
        provenance: The version, weights and configuration used.
        times: Seconds by stage and peak memory.
        refused_risks: Why a risk model gives no probability for the patient, one text each.

    Returns:
        The document; its verdict tells whether there are notices.
    """
    listed = _notices(notices)
    documents = tuple(
        _finding(number, finding, finding_risks)
        for number, (finding, finding_risks) in enumerate(zip(findings, risks, strict=True), 1)
    )
    return Report(
        verdict=Verdict.ANALYSED_WITH_NOTICES if listed else Verdict.ANALYSED,
        series=_series(series, volume),
        notices=listed,
        findings=documents,
        study_class=_study_class(study_class, documents),
        candidates=tuple(CandidateDocument(**_candidate(candidate)) for candidate in candidates),
        guidelines=tuple(_guideline(proposal, len(findings)) for proposal in proposals),
        refused_risks=tuple(refused_risks),
        growth=None if growth is None else growth_document(growth, volume),
        provenance=provenance,
        times=times,
    )


def _study_class(given: StudyClass, findings: Sequence[FindingDocument]) -> StudyClassDocument:
    decisive = None if given.finding is None else findings[given.finding - 1]
    return StudyClassDocument(
        likeliest_class=given.likeliest_class,
        class_probabilities=decisive.class_probabilities if decisive else None,
        confidence_band=decisive.confidence_band if decisive else None,
        finding=given.finding,
        rule=given.rule,
    )


def _guideline(proposal: Proposal, findings: int) -> GuidelineDocument:
    study = proposal.study
    categories = tuple(finding.category for finding in study.findings)
    return GuidelineDocument(
        name=proposal.name,
        title=study.guideline,
        source=study.source,
        category=study.category,
        meaning=study.title,
        follow_up=study.follow_up,
        not_assessed=study.not_assessed,
        driven_by=study.driven_by,
        findings=categories or ("",) * findings,
        outside_population=study.outside_population,
        cautions=study.cautions,
    )


def _risk(estimate: RiskEstimate) -> RiskDocument:
    return RiskDocument(
        model=estimate.model,
        source=estimate.source,
        lower=round(estimate.lower, _RISK_DIGITS),
        upper=round(estimate.upper, _RISK_DIGITS),
        used=dict(estimate.used),
        missing=estimate.missing,
        cautions=estimate.cautions,
    )


def _series(series: Series | None, volume: Volume) -> SeriesDocument:
    facts = volume.series
    return SeriesDocument(
        study_uid=facts.study_uid,
        series_uid=facts.series_uid,
        patient_id=facts.patient_id,
        patient_sex=facts.patient_sex,
        patient_age_years=facts.patient_age_years,
        study_date=facts.study_date,
        study_description=facts.study_description,
        series_description=facts.series_description,
        series_number=facts.series_number,
        manufacturer=facts.manufacturer,
        manufacturer_model_name=facts.manufacturer_model_name,
        convolution_kernel=facts.convolution_kernel,
        kvp=facts.kvp,
        contrast_bolus_agent=facts.contrast_bolus_agent,
        slice_thickness_mm=facts.slice_thickness_mm,
        format=series.format.value if series else ARRAY_FORMAT,
        files=len(series.sources) if series else 0,
        shape_zyx=volume.shape_zyx,
        spacing_mm=tuple(np.round(volume.spacing_mm, 6).tolist()),
        orientation=series.orientation if series else _orientation(volume),
    )


def _orientation(volume: Volume) -> str:
    """The name of the plane of the slices, from the normal of the stack."""
    return orientation_name(volume.affine[:3, 2] / np.linalg.norm(volume.affine[:3, 2]))


def _notices(notices: Iterable[Notice]) -> tuple[NoticeDocument, ...]:
    """Each notice once, in the order in which they arose."""
    distinct: dict[tuple[str, str], NoticeDocument] = {}
    for notice in notices:
        document = NoticeDocument.model_validate(notice.as_json())
        distinct.setdefault((notice.code, notice.message), document)
    return tuple(distinct.values())


def _candidate(place: Candidate | Finding) -> dict[str, tuple[float, ...] | float]:
    return {
        "centre_world_mm": tuple(round(value, _MM_DIGITS) for value in place.centre_world_mm),
        "diameter_mm": round(place.diameter_mm, _MM_DIGITS),
        "score": round(place.score, _PROBABILITY_DIGITS),
    }


def _finding(number: int, finding: Finding, risks: Sequence[RiskEstimate]) -> FindingDocument:
    probabilities = (round(p, _PROBABILITY_DIGITS) for p in finding.class_probabilities)
    return FindingDocument(
        **_candidate(finding),
        finding=number,
        class_probabilities=dict(zip(NoduleClass, probabilities, strict=True)),
        confidence_band=finding.confidence_band,
        location=LocationDocument(lung=finding.location.lung, zone=finding.location.zone),
        source=None if finding.source is None else _source(finding.source),
        measurements=_measurements(finding),
        malignancy=(
            None if finding.malignancy is None else round(finding.malignancy, _MEASURED_DIGITS)
        ),
        risks=tuple(_risk(estimate) for estimate in risks),
        notices=_notices(finding.notices),
        picture=picture_name(number),
        activation_map=None if finding.activation_map is None else _activation_map(number),
    )


def _activation_map(number: int) -> ActivationMapDocument:
    return ActivationMapDocument(
        picture=activation_picture_name(number), file=activation_file_name(number)
    )


def _measurements(finding: Finding) -> dict[str, float | str]:
    measured = finding.measurements.as_mapping() if finding.measurements else {}
    return {name: _rounded(value) for name, value in measured.items()}


def _rounded(value: float | str) -> float | str:
    return value if isinstance(value, str) else round(value, _MEASURED_DIGITS)


def _source(source: SourcePixel) -> SourceDocument:
    return SourceDocument(
        sop_instance_uid=source.sop_instance_uid,
        frame_number=source.frame_number,
        column=round(float(source.column), _MM_DIGITS),
        row=round(float(source.row), _MM_DIGITS),
    )
