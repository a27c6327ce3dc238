"""The report document of a series, made of what the stages found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.contracts import NoduleClass
from hounsfield.pipeline.report.filenames import (
    activation_file_name,
    activation_picture_name,
    picture_name,
)
from hounsfield.pipeline.report.schema import (
    ActivationMapDocument,
    CandidateDocument,
    FindingDocument,
    LocationDocument,
    NoticeDocument,
    Report,
    SeriesDocument,
    SourceDocument,
)
from hounsfield.preprocessing.codes import Verdict
from hounsfield.preprocessing.files.printable_path import printable_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hounsfield.models.contracts import Candidate, Finding
    from hounsfield.pipeline.report.growth_schema import GrowthDocument
    from hounsfield.pipeline.report.schema import (
        GuidelineDocument,
        ProvenanceDocument,
        RiskDocument,
        StudyClassDocument,
        TimesDocument,
    )
    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import SourcePixel, Volume

_MM_DIGITS, _MEASURED_DIGITS, _PROBABILITY_DIGITS = 2, 3, 6
"""Rounding keeps the last bits of the arithmetic, which differ between processors, out of it."""


def report_document(
    series: Series,
    volume: Volume,
    *,
    findings: Sequence[FindingDocument],
    study_class: StudyClassDocument,
    candidates: Sequence[Candidate],
    guidelines: Sequence[GuidelineDocument],
    growth: GrowthDocument | None = None,
    notices: Iterable[Notice],
    provenance: ProvenanceDocument,
    times: TimesDocument,
) -> Report:
    """Makes the document.

    Args:
        series: What was read.
        volume: The same as HU.
        findings: What `finding_documents` makes, best score first.
        study_class: By them.
        candidates: Best score first.
        guidelines: What they propose for these findings.
        growth: Since an earlier study; None where there is none.
        notices: In the order in which they arose.
        provenance: Of the run.
        times: Of the stages.
    """
    noted = _notices(_without_folders(series, notices))
    return Report(
        verdict=Verdict.ANALYSED_WITH_NOTICES if noted else Verdict.ANALYSED,
        series=_series(series, volume),
        notices=noted,
        findings=tuple(findings),
        study_class=study_class,
        candidates=tuple(CandidateDocument(**_mark(candidate)) for candidate in candidates),
        guidelines=tuple(guidelines),
        growth=growth,
        provenance=provenance,
        times=times,
    )


def finding_documents(
    findings: Sequence[Finding], risks: Sequence[tuple[RiskDocument, ...]]
) -> tuple[FindingDocument, ...]:
    """Numbers the findings from 1, each with what risk models say of it."""
    return tuple(
        _finding(number, each, of_it)
        for number, (each, of_it) in enumerate(zip(findings, risks, strict=True), start=1)
    )


def _series(series: Series, volume: Volume) -> SeriesDocument:
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
        format=series.format.value,
        files=len(series.sources),
        shape_zyx=volume.shape_zyx,
        spacing_mm=tuple(np.round(volume.spacing_mm, 6).tolist()),
        orientation=series.orientation,
    )


def _without_folders(series: Series, notices: Iterable[Notice]) -> Iterator[Notice]:
    """Names files without their folders: those may be named after the patient."""
    folders = {source.folder for source in series.sources} | {printable_path(series.path)}
    # A member at the top of an archive is named ``study.zip!slice.dcm``.
    before = {folder if folder.endswith("!") else f"{folder}/" for folder in folders}
    for notice in notices:
        message = notice.message
        for words in sorted(before, key=lambda words: (-len(words), words)):
            message = message.replace(words, "")
        yield replace(notice, message=message)


def _notices(notices: Iterable[Notice]) -> tuple[NoticeDocument, ...]:
    """Each notice once, in the order in which they arose."""
    distinct: dict[tuple[str, str], NoticeDocument] = {}
    for notice in notices:
        document = NoticeDocument.model_validate(notice.as_json())
        distinct.setdefault((notice.code, notice.message), document)
    return tuple(distinct.values())


def _mark(place: Candidate | Finding) -> dict[str, tuple[float, ...] | float]:
    return {
        "centre_world_mm": tuple(round(value, _MM_DIGITS) for value in place.centre_world_mm),
        "diameter_mm": round(place.diameter_mm, _MM_DIGITS),
        "score": round(place.score, _PROBABILITY_DIGITS),
    }


def _finding(number: int, finding: Finding, risks: tuple[RiskDocument, ...]) -> FindingDocument:
    probabilities = (round(p, _PROBABILITY_DIGITS) for p in finding.class_probabilities)
    return FindingDocument(
        **_mark(finding),
        finding=number,
        class_probabilities=dict(zip(NoduleClass, probabilities, strict=True)),
        confidence_band=finding.confidence_band,
        location=LocationDocument(lung=finding.location.lung, zone=finding.location.zone),
        source=None if finding.source is None else _source(finding.source),
        measurements={name: _rounded(value) for name, value in finding.measurements.items()},
        risks=risks,
        notices=_notices(finding.notices),
        picture=picture_name(number),
        activation_map=None if finding.activation_map is None else _why(number),
    )


def _why(number: int) -> ActivationMapDocument:
    return ActivationMapDocument(
        picture=activation_picture_name(number), file=activation_file_name(number)
    )


def _rounded(value: float | str) -> float | str:
    return value if isinstance(value, str) else round(value, _MEASURED_DIGITS)


def _source(source: SourcePixel) -> SourceDocument:
    return SourceDocument(
        sop_instance_uid=source.sop_instance_uid,
        frame_number=source.frame_number,
        column=round(float(source.column), _MM_DIGITS),
        row=round(float(source.row), _MM_DIGITS),
    )
