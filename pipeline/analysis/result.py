"""`Analysis`: the typed results of one series, and the files written from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.pipeline.analysis.timing import peak_memory_mb
from hounsfield.pipeline.report.build import build_report
from hounsfield.pipeline.report.figures.activation_map import activation_files
from hounsfield.pipeline.report.figures.pair_picture import pair_pictures
from hounsfield.pipeline.report.figures.pictures import report_pictures
from hounsfield.pipeline.report.filenames import REPORT_HTML, REPORT_JSON, SEGMENTATION_NII
from hounsfield.pipeline.report.headline import leading_finding
from hounsfield.pipeline.report.html import report_page
from hounsfield.pipeline.report.schema import TimesDocument
from hounsfield.pipeline.report.segmentation_file import segmentation_file
from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from hounsfield.models.findings import Candidate, Finding
    from hounsfield.pipeline.analysis.examination import Examination
    from hounsfield.pipeline.analysis.timing import StageTimer
    from hounsfield.pipeline.assessment.growth import GrowthComparison
    from hounsfield.pipeline.assessment.proposals import Proposal
    from hounsfield.pipeline.assessment.risk_models import RiskEstimate
    from hounsfield.pipeline.assessment.study_class import StudyClass
    from hounsfield.pipeline.config import RunConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument, Report
    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """The output of one analysed series.

    Attributes:
        report: The report document.
        files: Content of each output file by its name, the report among them.
    """

    report: Report
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Analysis:
    """The analysis of one series, as typed results.

    Attributes:
        examination: Volume, lungs, candidates, outlines and measurements.
        findings: Findings, best score first.
        risks: Estimates of the risk models for each finding.
        refused_risks: Why a risk model that was asked for gives no probability, in words.
        study_class: Class of the study, and the finding that decides it.
        proposals: Categories that guidelines propose.
        growth: Comparison with an earlier study; None where there is none.
        series: The files that were read; None for a volume made from an array.
        config: The configuration used.
        provenance: Record of version, weights and configuration.
        timer: Seconds by stage.
    """

    examination: Examination
    findings: tuple[Finding, ...]
    risks: tuple[tuple[RiskEstimate, ...], ...]
    refused_risks: tuple[str, ...]
    study_class: StudyClass
    proposals: tuple[Proposal, ...]
    growth: GrowthComparison | None
    series: Series | None
    config: RunConfig
    provenance: ProvenanceDocument
    timer: StageTimer

    def __repr__(self) -> str:
        facts = self.volume.series
        return f"Analysis(series {facts.series_uid}, {len(self.findings)} findings)"

    @property
    def volume(self) -> Volume:
        """The series in HU on its native grid."""
        return self.examination.chest.volume

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Notices about the series, in the order in which they arose."""
        return self.examination.chest.notices

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every candidate of the detector, best score first."""
        return self.examination.candidates

    @property
    def report(self) -> Report:
        """The report document; `render` draws the pictures too."""
        return self.render().report

    def render(self) -> RenderedReport:
        """Draw the pictures and write the documents of this analysis.

        Returns:
            The report document, and the content of every output file by name.
        """
        return _render(self)

    def save(self, folder: str | Path) -> Path:
        """Write the report, its pictures and the segmentation into a folder.

        Args:
            folder: Created if missing; files of the same names are replaced, others stay.

        Returns:
            The path of ``report.html``.

        Raises:
            OutputError: The folder cannot be written.
        """
        folder = Path(folder)
        with writing_to(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.render().files.items():
            with atomic_file(folder / name) as temporary:
                temporary.write_bytes(content)
        return folder / REPORT_HTML


def _render(analysis: Analysis) -> RenderedReport:
    config = analysis.config.report
    upright = analysis.examination.chest.upright
    boundaries = [nodule.boundary for nodule in analysis.examination.nodules]
    shown = leading_finding(
        len(analysis.findings), [proposal.study.driven_by for proposal in analysis.proposals]
    )
    with analysis.timer.stage("pictures"):
        pictures = report_pictures(
            upright,
            analysis.examination.working,
            analysis.findings,
            boundaries,
            config,
            shown=shown,
        )
        if analysis.growth is not None:
            pictures |= pair_pictures(
                analysis.growth, upright, analysis.findings, boundaries, config
            )
    report = build_report(
        analysis.volume,
        series=analysis.series,
        notices=analysis.notices,
        findings=analysis.findings,
        risks=analysis.risks,
        refused_risks=analysis.refused_risks,
        study_class=analysis.study_class,
        proposals=analysis.proposals,
        growth=analysis.growth,
        candidates=analysis.candidates,
        provenance=analysis.provenance,
        times=TimesDocument(
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=dict(analysis.timer.seconds),
            peak_memory_mb=peak_memory_mb(),
        ),
    )
    page = report_page(report, pictures, shown=shown)
    files = {REPORT_JSON: report.as_json().encode(), REPORT_HTML: page.encode(), **pictures}
    files |= activation_files(analysis.findings)
    if any(boundaries):
        files[SEGMENTATION_NII] = segmentation_file(analysis.volume, boundaries)
    return RenderedReport(report, files)
