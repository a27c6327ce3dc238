"""A study's way through the house: one series from its files to its report, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from hounsfield.models.contracts import (
    Candidate,
    Classification,
    Finding,
    confidence_band,
)
from hounsfield.models.inference.loading import load_models
from hounsfield.models.inference.outlines import SegmentedNodule, outline
from hounsfield.models.measurements.nodule import measure
from hounsfield.pipeline.analysis.detection import keep, search
from hounsfield.pipeline.analysis.growth.comparison import growth_since
from hounsfield.pipeline.analysis.growth.study_nodules import StudyNodules
from hounsfield.pipeline.analysis.lung_location import locate_in_lungs
from hounsfield.pipeline.analysis.study_class import study_class
from hounsfield.pipeline.analysis.timing import StageTimes
from hounsfield.pipeline.assessment.guidelines import load_guideline
from hounsfield.pipeline.assessment.proposals import clinical_facts, guide, risks_of
from hounsfield.pipeline.report.build import finding_documents, report_document
from hounsfield.pipeline.report.figures.activation_map import activation_files
from hounsfield.pipeline.report.figures.pictures import report_pictures
from hounsfield.pipeline.report.filenames import REPORT_HTML, REPORT_JSON, SEGMENTATION_NII
from hounsfield.pipeline.report.headline import leading_finding
from hounsfield.pipeline.report.html import report_page
from hounsfield.pipeline.report.segmentation_file import segmentation_file
from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.parallel import thread_map
from hounsfield.preprocessing.quality.assess import assess_quality
from hounsfield.preprocessing.reading import read_volume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.assessment.clinical_table import ClinicalTable
    from hounsfield.pipeline.assessment.guidelines import Guideline
    from hounsfield.pipeline.batch.prior_studies import Prior
    from hounsfield.pipeline.batch.worker import Analyse, WorkOrder
    from hounsfield.pipeline.config import RunConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument, Report
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


OUT_OF_DISTRIBUTION = Notice(
    NoticeCode.OUTSIDE_TRAINING,
    "The surroundings of this finding look like nothing the classifier was trained on: its class "
    "means nothing.",
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """What analysing a series gave.

    Attributes:
        report: The document.
        files: The output folder's files by name, the report among them.
    """

    report: Report
    files: dict[str, bytes]


def analyse_series(
    series: Series,
    prior: Prior | None = None,
    *,
    models: Models,
    guidelines: Mapping[str, Guideline],
    config: RunConfig,
    provenance: ProvenanceDocument,
    clinical: ClinicalTable | None = None,
) -> Analysis:
    """Takes one series the whole way: files, HU, lungs, candidates, findings, report.

    Beside it goes the earlier study of the patient that it is compared with, if there is one.

    Raises:
        SeriesError: The series cannot be analysed; the code says why.
    """
    times = StageTimes()
    with times.stage("read"):
        volume = read_volume(series)
    with times.stage("lungs"):
        lungs = find_lungs(volume)
        notices = (*volume.notices, *assess_quality(volume, lungs))
    working, candidates = search(
        volume, lungs, models=models, provenance=provenance, stage=times.stage
    )
    with times.stage("classify"):
        kept = keep(candidates, threshold=provenance.score_threshold, config=config.detection)
        classes = models.classifier.classify(working, kept)
        if not config.report.activation_maps:
            classes = [replace(one, activation_map=None) for one in classes]
    nodules = [SegmentedNodule()] * len(kept)
    if models.segmenter is not None:
        with times.stage("segment"):
            nodules = outline(models.segmenter, volume, kept)
    ratings: list[float | None] = [None] * len(kept)
    if models.rater is not None:
        with times.stage("rate"):
            ratings = models.rater.rate(volume, kept, [one.reader_style for one in nodules])
    with times.stage("measure"):
        findings = thread_map(
            lambda given: make_finding(*given, volume=volume, working=working),
            zip(kept, classes, nodules, ratings, strict=True),
        )
    growth = growth_since(
        prior,
        StudyNodules.of(volume, lungs, candidates, findings, nodules),
        models=models,
        config=config,
        provenance=provenance,
        stage=times.stage,
    )
    known = clinical_facts(clinical, volume.series)
    risks = [risks_of(finding, known, nodule_count=len(findings)) for finding in findings]
    documents = finding_documents(findings, risks)
    decided = study_class(documents)
    outlines = [one.boundary for one in nodules]
    proposals = guide(guidelines, findings, notices, growth.courses)
    shown = leading_finding(len(findings), proposals)
    with times.stage("pictures"):
        pictures = report_pictures(volume, working, findings, outlines, config.report, shown=shown)
        pictures |= growth.pictures
    report = report_document(
        series,
        volume,
        findings=documents,
        study_class=decided,
        candidates=candidates,
        guidelines=proposals,
        growth=growth.document,
        notices=notices,
        provenance=provenance,
        times=times.document(),
    )
    page = report_page(report, pictures, shown=shown)
    files = {REPORT_JSON: report.as_json().encode(), REPORT_HTML: page.encode(), **pictures}
    files |= activation_files(findings)
    if any(outlines):
        files[SEGMENTATION_NII] = segmentation_file(volume, outlines)
    return Analysis(report, files)


def prepare(order: WorkOrder) -> Analyse:
    """Loads the models of a run, once for each worker."""
    names = order.config.models
    models = load_models(
        detector=names.detector,
        reducer=names.reducer,
        segmenter=names.segmenter,
        rater=names.rater,
        classifier=names.classifier,
        threads=order.threads,
        runtime=names.runtime,
        classifier_flips=names.classifier_flips,
    )
    return partial(
        analyse_series,
        models=models,
        guidelines={name: load_guideline(name) for name in order.config.report.guidelines},
        config=order.config,
        provenance=order.provenance,
        clinical=order.clinical,
    )


def make_finding(
    candidate: Candidate,
    classes: Classification,
    nodule: SegmentedNodule,
    rating: float | None,
    *,
    volume: Volume,
    working: WorkingVolume,
) -> Finding:
    """Makes a finding of a candidate: its class, its size, its place, the way back to the image."""
    measured = measure(nodule, volume, working)
    measurements = measured.as_mapping() if measured else {}
    if rating is not None:
        measurements["malignancy"] = rating
    return Finding(
        centre_world_mm=candidate.centre_world_mm,
        diameter_mm=measured.sphere_diameter_mm if measured else candidate.diameter_mm,
        score=candidate.score,
        class_probabilities=classes.probabilities,
        confidence_band=confidence_band(
            classes.probabilities, out_of_distribution=classes.out_of_distribution
        ),
        location=locate_in_lungs(working, candidate.centre_world_mm),
        source=volume.source_pixel(candidate.centre_world_mm),
        measurements=measurements,
        notices=(OUT_OF_DISTRIBUTION,) if classes.out_of_distribution else (),
        activation_map=classes.activation_map,
    )
