"""A study's way through the house: one series from its files to its report, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from models.contracts import (
    DRAWN_EDGE,
    Candidate,
    Classification,
    Finding,
    Segmentation,
    confidence_band,
)
from models.loading import load_models
from models.measurements.nodule import measure
from pipeline.guidance import clinical_facts, guide, risks_of
from pipeline.guidelines import load_guideline
from pipeline.outputs import KEY_PICTURE, REPORT_HTML, REPORT_JSON, SEGMENTATION_NII
from pipeline.pages import report_page
from pipeline.pictures import finding_picture, key_picture
from pipeline.place import place_of
from pipeline.report import picture_name, report_document
from pipeline.segmentation_file import segmentation_file
from pipeline.stage_times import StageTimes
from preprocessing.codes import Notice, NoticeCode
from preprocessing.lungs import find_lungs
from preprocessing.quality import assess_quality
from preprocessing.reading import read_volume
from preprocessing.working_grid import WORKING_SPACING_MM, to_working_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from models.loading import Models
    from pipeline.clinical import ClinicalTable
    from pipeline.config import DetectionConfig, RunConfig
    from pipeline.documents import ProvenanceDocument, Report
    from pipeline.guidelines import Guideline
    from pipeline.worker import WorkOrder
    from preprocessing.series import Series
    from preprocessing.volume import Volume
    from preprocessing.working_volume import WorkingVolume


UNLIKE_TRAINING = Notice(
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
    *,
    models: Models,
    guidelines: Mapping[str, Guideline],
    config: RunConfig,
    provenance: ProvenanceDocument,
    clinical: ClinicalTable | None = None,
) -> Analysis:
    """Takes one series the whole way: files, HU, lungs, candidates, findings, report.

    Raises:
        SeriesError: The series cannot be analysed; the code says why.
    """
    times = StageTimes()
    with times.stage("read"):
        volume = read_volume(series)
    with times.stage("lungs"):
        lungs = find_lungs(volume)
        notices = (*volume.notices, *assess_quality(volume, lungs))
    with times.stage("working_grid"):
        working = to_working_volume(volume, lungs)
        seen = working
        if provenance.detector_spacing_mm != WORKING_SPACING_MM:
            seen = to_working_volume(volume, lungs, spacing_mm=provenance.detector_spacing_mm)
    with times.stage("detect"):
        candidates = models.detector.detect(seen)
    if models.reducer is not None:
        with times.stage("reduce"):
            candidates = models.reducer.reduce(working, candidates)
    with times.stage("classify"):
        kept = keep(candidates, threshold=provenance.score_threshold, config=config.detection)
        classes = models.classifier.classify(working, kept)
    outlines: list[Segmentation | None] = [None] * len(kept)
    if models.segmenter is not None:
        with times.stage("segment"):
            outlines = models.segmenter.segment(volume, kept)
    ratings: list[float | None] = [None] * len(kept)
    if models.segmenter is not None and models.rater is not None:
        with times.stage("rate"):
            drawn = models.segmenter.segment(volume, kept, edge=DRAWN_EDGE)
            ratings = models.rater.rate(volume, kept, drawn)
    with times.stage("measure"):
        findings = [
            make_finding(candidate, row, outline, rating, volume=volume, working=working)
            for candidate, row, outline, rating in zip(
                kept, classes, outlines, ratings, strict=True
            )
        ]
    with times.stage("pictures"):
        pictures = {KEY_PICTURE: key_picture(volume, working, findings, config.report)}
        for number, (finding, outline) in enumerate(zip(findings, outlines, strict=True), start=1):
            picture = finding_picture(volume, finding, config.report, outline)
            pictures[picture_name(number)] = picture
    known = clinical_facts(clinical, volume.series)
    report = report_document(
        series,
        volume,
        findings=findings,
        candidates=candidates,
        guidelines=guide(guidelines, findings, notices),
        risks=[risks_of(finding, known, nodule_count=len(findings)) for finding in findings],
        notices=notices,
        provenance=provenance,
        times=times.document(),
    )
    page = report_page(report, pictures)
    files = {REPORT_JSON: report.as_json().encode(), REPORT_HTML: page.encode(), **pictures}
    if any(outlines):
        files[SEGMENTATION_NII] = segmentation_file(volume, outlines)
    return Analysis(report, files)


def prepare(order: WorkOrder) -> Callable[[Series], Analysis]:
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
    )
    return partial(
        analyse_series,
        models=models,
        guidelines={name: load_guideline(name) for name in order.config.report.guidelines},
        config=order.config,
        provenance=order.provenance,
        clinical=order.clinical,
    )


def keep(
    candidates: list[Candidate], *, threshold: float, config: DetectionConfig
) -> list[Candidate]:
    """Keeps the candidates that become findings: those from `threshold` up, the best few."""
    kept = [candidate for candidate in candidates if candidate.score >= threshold]
    return sorted(kept, key=lambda candidate: -candidate.score)[: config.max_findings]


def make_finding(
    candidate: Candidate,
    classes: Classification,
    outline: Segmentation | None,
    rating: float | None,
    *,
    volume: Volume,
    working: WorkingVolume,
) -> Finding:
    """Makes a finding of a candidate: its class, its size, its place, the way back to the image."""
    measured = measure(outline, volume, working) if outline else None
    measurements = measured.as_mapping() if measured else {}
    if rating is not None:
        measurements["malignancy"] = rating
    return Finding(
        centre_world_mm=candidate.centre_world_mm,
        diameter_mm=measured.sphere_diameter_mm if measured else candidate.diameter_mm,
        score=candidate.score,
        class_probabilities=classes.probabilities,
        confidence_band=confidence_band(
            classes.probabilities, unlike_training=classes.unlike_training
        ),
        place=place_of(working, candidate.centre_world_mm),
        source=volume.source_pixel(candidate.centre_world_mm),
        measurements=measurements,
        notices=(UNLIKE_TRAINING,) if classes.unlike_training else (),
    )
