"""Proposals of guidelines and risk models for the findings of a series; no decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.findings import Zone
from hounsfield.models.kinds import Margin, Texture
from hounsfield.pipeline.assessment.clinical_table import ClinicalFacts
from hounsfield.pipeline.assessment.guidelines import IntervalChanges, NoduleFacts, classify_study
from hounsfield.pipeline.assessment.guidelines.categories import GROWTH
from hounsfield.pipeline.assessment.population import applicability
from hounsfield.pipeline.assessment.risk_models import (
    BROCK,
    BROCK_POPULATION,
    MAYO,
    MAYO_POPULATION,
    RiskInputs,
    brock,
    mayo,
)
from hounsfield.preprocessing.codes import NoticeCode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hounsfield.models.findings import Finding
    from hounsfield.pipeline.assessment.guidelines import Guideline, StudyCategory
    from hounsfield.pipeline.assessment.risk_models import RiskEstimate
    from hounsfield.preprocessing.codes import Notice

TOUCHING_MM = 1.0
"""A nodule this close to the surface of the lung touches it: the labels are no finer than that."""

CALCIFIED_THROUGH_FROM = 0.5
"""Fraction of calcified voxels from which calcification counts as diffuse, which is benign."""

_IN_UPPER_LOBE = {Zone.UPPER: True, Zone.MIDDLE: None, Zone.LOWER: False}
"""The zone stands in for the lobe, which is not segmented."""

_RISK_MODELS = ((BROCK, BROCK_POPULATION, brock), (MAYO, MAYO_POPULATION, mayo))


@dataclass(frozen=True, slots=True)
class Proposal:
    """The categories that one guideline proposes for a study.

    Attributes:
        name: Name of the guideline's file, such as ``lung_rads_2022``.
        study: Category of the study and of each finding.
    """

    name: str
    study: StudyCategory


def propose_categories(
    guidelines: Mapping[str, Guideline],
    findings: Sequence[Finding],
    notices: Collection[Notice],
    changes: Sequence[IntervalChanges] | None = None,
    patient: ClinicalFacts = ClinicalFacts(),  # noqa: B008 - immutable
) -> tuple[Proposal, ...]:
    """Propose the category of a study, and of each finding, by each guideline.

    Args:
        guidelines: The guidelines by name.
        findings: All findings of the study, in the order of the report.
        notices: Notices of the series: cut lungs and suspect HU make a study incomplete.
        changes: Change of each finding since an earlier study; None where none was compared.
        patient: What is known of the patient, from the headers too; nothing by default.

    Returns:
        One proposal for each guideline, in their order.
    """
    known = [IntervalChanges()] * len(findings) if changes is None else changes
    nodules = [nodule_facts(*pair) for pair in zip(findings, known, strict=True)]
    codes = {notice.code for notice in notices}
    return tuple(
        Proposal(
            name,
            classify_study(
                guideline,
                nodules,
                lungs_cut=NoticeCode.LUNGS_CUT in codes,
                quality_failed=NoticeCode.HU_SUSPECT in codes,
                assessed=() if changes is None or not guideline.has_growth_rules else {GROWTH},
                patient=patient,
            ),
        )
        for name, guideline in guidelines.items()
    )


def nodule_facts(
    finding: Finding,
    changes: IntervalChanges = IntervalChanges(),  # noqa: B008 - immutable
) -> NoduleFacts:
    """Put the measurements of a finding in a guideline's terms.

    Args:
        finding: The finding; where nothing was measured, the detector's diameter counts.
        changes: Change since an earlier study; unknown by default.

    Returns:
        The facts, None for each that is not known.
    """
    measured = finding.measurements
    if measured is None:
        return NoduleFacts(
            mean_diameter_mm=finding.diameter_mm,
            interval_change=changes.nodule,
            solid_part_change=changes.solid_part,
        )
    pleura_mm = measured.pleura_distance_mm
    calcified = measured.texture is Texture.CALCIFIED
    return NoduleFacts(
        mean_diameter_mm=measured.mean_diameter_mm or finding.diameter_mm,
        texture=measured.texture,
        solid_part_mm=measured.solid_part_mm,
        margin=measured.margin,
        touches_pleura=None if pleura_mm is None else pleura_mm <= TOUCHING_MM,
        benign_calcification=(
            measured.calcification_fraction >= CALCIFIED_THROUGH_FROM if calcified else None
        ),
        interval_change=changes.nodule,
        solid_part_change=changes.solid_part,
    )


def estimate_risks(
    finding: Finding, clinical: ClinicalFacts, *, nodule_count: int
) -> tuple[RiskEstimate, ...]:
    """Estimate the probability of cancer by the published models that are for the patient.

    Args:
        finding: The finding; its measured long axis, texture and margin count.
        clinical: What is known of the patient; nothing where no risk is asked for.
        nodule_count: Number of nodules in the study, this one included.

    Returns:
        One estimate for each model whose population the patient is not known to be outside of
        (`refused_risks` names the others); none where nothing is known of the patient.
    """
    if clinical == ClinicalFacts():
        return ()
    measured = finding.measurements
    inputs = RiskInputs(
        clinical=clinical,
        diameter_mm=measured.long_axis_mm if measured else finding.diameter_mm,
        texture=measured.texture if measured else None,
        spiculated=measured.margin is Margin.SPICULATED if measured else None,
        upper_lobe=_IN_UPPER_LOBE[finding.location.zone],
        nodule_count=nodule_count,
    )
    return tuple(
        estimate(inputs)
        for _, population, estimate in _RISK_MODELS
        if not applicability(population, clinical).reasons_against
    )


def refused_risks(clinical: ClinicalFacts) -> tuple[str, ...]:
    """Say which risk models give no probability to a patient, and why.

    Args:
        clinical: What is known of the patient; nothing where no risk is asked for.

    Returns:
        A sentence without a full stop for each model that is not for the patient.
    """
    fits = ((name, applicability(population, clinical)) for name, population, _ in _RISK_MODELS)
    return tuple(
        f"{name} gives no probability: {'; '.join(fit.reasons_against)}"
        for name, fit in fits
        if fit.reasons_against
    )
