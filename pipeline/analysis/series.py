"""The analysis of one series, stage after stage, from its files to its findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hounsfield.models.findings import ConfidenceBand
from hounsfield.models.inference.loading import load_model_set
from hounsfield.pipeline.analysis.examination import examine, find_chest
from hounsfield.pipeline.analysis.findings import classify_findings
from hounsfield.pipeline.analysis.growth.comparison import compare_with_prior
from hounsfield.pipeline.analysis.result import Analysis, RenderedReport
from hounsfield.pipeline.analysis.timing import StageTimer, reset_peak_memory
from hounsfield.pipeline.assessment.guidelines import load_guideline
from hounsfield.pipeline.assessment.patient import find_patient
from hounsfield.pipeline.assessment.proposals import (
    estimate_risks,
    propose_categories,
    refused_risks,
)
from hounsfield.pipeline.assessment.study_class import study_class
from hounsfield.pipeline.report.provenance import find_configured_models, provenance_of
from hounsfield.preprocessing.parallel import available_processors
from hounsfield.preprocessing.reading import read_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.growth.prior import Prior
    from hounsfield.pipeline.assessment.clinical_table import ClinicalTable
    from hounsfield.pipeline.assessment.guidelines import Guideline
    from hounsfield.pipeline.config import RunConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Analyser:
    """Analyses series with the models, guidelines and configuration that a run loads once.

    Attributes:
        models: The loaded networks.
        guidelines: Guidelines by name, in the order of the report.
        config: The run's configuration.
        provenance: Record of version, weights and configuration, copied into each report.
        clinical: Clinical facts about patients; None where none were given.
    """

    models: Models
    guidelines: Mapping[str, Guideline]
    config: RunConfig
    provenance: ProvenanceDocument
    clinical: ClinicalTable | None = None

    def analyse_series(self, series: Series, prior: Prior | None = None) -> Analysis:
        """Read a series and analyse it.

        Args:
            series: The series, known from its headers.
            prior: The patient's earlier study to compare with; None where the input has none.

        Returns:
            The findings with everything they were derived from.

        Raises:
            SeriesError: The series cannot be analysed; the error's code says why.
        """
        timer = StageTimer()
        reset_peak_memory()
        with timer.stage("read"):
            volume = read_volume(series)
        return self.analyse_volume(volume, series=series, prior=prior, timer=timer)

    def analyse_volume(
        self,
        volume: Volume,
        *,
        series: Series | None = None,
        prior: Prior | None = None,
        timer: StageTimer | None = None,
    ) -> Analysis:
        """Analyse a volume: every stage after reading, in their order.

        Args:
            volume: The series in HU on its native grid.
            series: The files that it was read from; None for a volume made from an array.
            prior: The patient's earlier study to compare with; None where the input has none.
            timer: Records the stages; a new one by default.

        Returns:
            The findings with everything they were derived from.

        Raises:
            SeriesError: No lungs are found.
            UsageError: The clinical table names another patient for the study.
        """
        timer = timer or StageTimer()
        config, models = self.config, self.models
        patient = find_patient(self.clinical, volume.series)
        chest = find_chest(volume, timer=timer)
        chest = replace(chest, notices=(*patient.notices, *chest.notices))
        examination = examine(chest, models=models, config=config.detection, timer=timer)
        findings = classify_findings(
            examination,
            models=models,
            activation_maps=config.report.activation_maps,
            timer=timer,
        )
        if patient.is_child:
            outside = ConfidenceBand.OUT_OF_DISTRIBUTION
            findings = tuple(replace(finding, confidence_band=outside) for finding in findings)
        growth = None
        if prior is not None:
            growth = compare_with_prior(
                prior, examination, findings, models=models, config=config.detection, timer=timer
            )
        changes = None
        if growth is not None and growth.findings is not None:
            changes = [finding.interval_changes for finding in growth.findings]
        return Analysis(
            examination=examination,
            findings=findings,
            risks=tuple(
                estimate_risks(finding, patient.risk_facts, nodule_count=len(findings))
                for finding in findings
            ),
            refused_risks=refused_risks(patient.risk_facts),
            study_class=study_class(findings),
            proposals=propose_categories(
                self.guidelines, findings, chest.notices, changes, patient=patient.facts
            ),
            growth=growth,
            series=series,
            config=config,
            provenance=self.provenance,
            timer=timer,
        )


def load_analyser(
    config: RunConfig,
    *,
    provenance: ProvenanceDocument | None = None,
    clinical: ClinicalTable | None = None,
    models: Models | None = None,
    threads: int | None = None,
) -> Analyser:
    """Load the models and guidelines that a configuration names.

    Args:
        config: Names the models, the operating point and the guidelines.
        provenance: The run's record; made from the models and the configuration by default.
        clinical: Clinical facts about patients; None where none were given.
        models: Networks that are loaded already; loaded as configured by default.
        threads: CPU threads of each network; as configured, or all cores, by default.

    Returns:
        An analyser that can take any number of series.

    Raises:
        UsageError: A model or a guideline is not known, or a weight file is not the published one.
    """
    if models is None:
        models = load_model_set(
            find_configured_models(config.models),
            threads=threads or config.run.threads or available_processors(),
            runtime=config.models.runtime,
            classifier_flips=config.models.classifier_flips,
        )
    return Analyser(
        models,
        {name: load_guideline(name) for name in config.report.guidelines},
        config,
        provenance or provenance_of(models.stored, config),
        clinical,
    )


def report_maker(analyser: Analyser) -> Callable[[Series, Prior | None], RenderedReport]:
    """Return the function with which a worker turns a series into its output files.

    Args:
        analyser: Loaded models, guidelines and configuration of the run.
    """

    def make_report(series: Series, prior: Prior | None) -> RenderedReport:
        return analyser.analyse_series(series, prior).render()

    return make_report
