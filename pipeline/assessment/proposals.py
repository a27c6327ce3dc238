"""What guidelines and risk models say of the findings of a series: proposals, not decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hounsfield.models.contracts import Zone
from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.guidelines import IntervalChanges, NoduleFacts, classify_study
from hounsfield.pipeline.assessment.guidelines.categories import GROWTH
from hounsfield.pipeline.assessment.risk_models import RiskInputs, brock, mayo
from hounsfield.pipeline.report.schema import GuidelineDocument, RiskDocument
from hounsfield.preprocessing.codes import NoticeCode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hounsfield.models.contracts import Finding
    from hounsfield.pipeline.assessment.clinical_table import ClinicalTable, Sex
    from hounsfield.pipeline.assessment.guidelines import Guideline
    from hounsfield.pipeline.assessment.guidelines.facts import Margin, Texture
    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.volume import SeriesFacts

TOUCHING_MM = 1.0
"""A nodule this near the lung's surface touches it: the labels are no finer than that."""

CALCIFIED_THROUGH_FROM = 0.5
"""Share of calcium from which calcification goes all through, which is benign."""

_PROBABILITY_DIGITS = 4
_IN_UPPER_LOBE = {Zone.UPPER: True, Zone.MIDDLE: None, Zone.LOWER: False}
"""The zone stands in for the lobe, which is not segmented."""

_SEXES: dict[str, Sex] = {"F": "female", "M": "male"}


def guide(
    guidelines: Mapping[str, Guideline],
    findings: Sequence[Finding],
    notices: Collection[Notice],
    courses: Sequence[IntervalChanges] | None = None,
) -> tuple[GuidelineDocument, ...]:
    """Proposes the category of a study, and of each finding, by each guideline.

    Args:
        guidelines: By name.
        findings: All of the study, in the order of the report.
        notices: Of the series: cut lungs and suspect HU make a study incomplete.
        courses: What became of each finding since an earlier study; None where none was compared.
    """
    known = [IntervalChanges()] * len(findings) if courses is None else courses
    nodules = [nodule_facts(*both) for both in zip(findings, known, strict=True)]
    codes = {notice.code for notice in notices}
    documents = []
    for name, guideline in guidelines.items():
        study = classify_study(
            guideline,
            nodules,
            lungs_cut=NoticeCode.LUNGS_CUT in codes,
            quality_failed=NoticeCode.HU_SUSPECT in codes,
            assessed=() if courses is None or not guideline.asks_for_growth else {GROWTH},
        )
        documents.append(
            GuidelineDocument(
                name=name,
                title=study.guideline,
                source=study.source,
                category=study.category,
                meaning=study.title,
                follow_up=study.follow_up,
                not_assessed=study.not_assessed,
                driven_by=study.driven_by,
                findings=tuple(one.category for one in study.findings),
            )
        )
    return tuple(documents)


def nodule_facts(finding: Finding, courses: IntervalChanges = IntervalChanges()) -> NoduleFacts:  # noqa: B008 - immutable
    """What was measured, in a guideline's words; the detector's size where nothing was."""
    measured = finding.measurements
    solid_part, pleura = (_length(finding, one) for one in ("solid_part_mm", "pleura_distance_mm"))
    texture = cast("Texture | None", measured.get("texture"))
    calcified = _length(finding, "calcification_fraction") or 0.0
    return NoduleFacts(
        mean_diameter_mm=_length(finding, "mean_diameter_mm") or finding.diameter_mm,
        texture=texture,
        solid_part_mm=solid_part,
        margin=cast("Margin | None", measured.get("margin")),
        touches_pleura=None if pleura is None else pleura <= TOUCHING_MM,
        benign_calcification=calcified >= CALCIFIED_THROUGH_FROM
        if texture == "calcified"
        else None,
        course=courses.nodule,
        solid_part_change=courses.solid_part,
    )


def risks_of(
    finding: Finding, clinical: ClinicalFacts, *, nodule_count: int
) -> tuple[RiskDocument, ...]:
    """The probability of cancer by published models; none where nothing is known of the patient.

    Args:
        finding: The nodule.
        clinical: Of the patient, as `clinical_facts` gives it.
        nodule_count: In the study.
    """
    if clinical == ClinicalFacts():
        return ()
    inputs = RiskInputs(
        clinical=clinical,
        diameter_mm=_length(finding, "long_axis_mm") or finding.diameter_mm,
        texture=cast("Texture | None", finding.measurements.get("texture")),
        spiculated=(
            finding.measurements["margin"] == "spiculated"
            if "margin" in finding.measurements
            else None
        ),
        upper_lobe=_IN_UPPER_LOBE[finding.location.zone],
        nodule_count=nodule_count,
    )
    return tuple(
        RiskDocument(
            model=one.model,
            source=one.source,
            least=round(one.least, _PROBABILITY_DIGITS),
            most=round(one.most, _PROBABILITY_DIGITS),
            used=dict(one.used),
            missing=one.missing,
        )
        for one in (brock(inputs), mayo(inputs))
    )


def clinical_facts(table: ClinicalTable | None, series: SeriesFacts) -> ClinicalFacts:
    """What a table tells of a patient, with age and sex from the headers where it is silent.

    Where the table tells nothing at all, nothing is known: risks are asked for by giving one.
    """
    if table is None:
        return ClinicalFacts()
    told = table.of(patient_id=series.patient_id, study_uid=series.study_uid)
    if told == ClinicalFacts():
        return told
    sex = _SEXES.get(series.patient_sex)
    return told.filled_from(ClinicalFacts(age_years=series.patient_age_years, sex=sex))


def _length(finding: Finding, name: str) -> float | None:
    value = finding.measurements.get(name)
    return value if isinstance(value, float) else None
