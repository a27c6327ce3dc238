"""From an examination to findings: class, malignancy, place, and the pixel on the image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.models.findings import Finding, confidence_band
from hounsfield.pipeline.analysis.lung_location import locate_in_lungs
from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.parallel import thread_map

if TYPE_CHECKING:
    from hounsfield.models.findings import Candidate, Classification, NoduleMeasurements
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.examination import Examination
    from hounsfield.pipeline.analysis.timing import StageTimer

OUT_OF_DISTRIBUTION = Notice(
    NoticeCode.OUTSIDE_TRAINING,
    "The surroundings of this finding are unlike everything the classifier was trained on: its "
    "class means nothing.",
)


def classify_findings(
    examination: Examination, *, models: Models, activation_maps: bool, timer: StageTimer
) -> tuple[Finding, ...]:
    """Classify, rate and locate the selected candidates of an examination.

    Args:
        examination: Candidates with their outlines and measurements.
        models: Classifier, and rater where there is one.
        activation_maps: Whether findings keep the classifier's activation maps.
        timer: Records the stages ``classify``, ``rate`` and ``locate``.

    Returns:
        One finding for each selected candidate, in their order.
    """
    selected = examination.selected
    with timer.stage("classify"):
        classes = models.classifier.classify(examination.working, selected)
    if not activation_maps:
        classes = [replace(answer, activation_map=None) for answer in classes]
    ratings: list[float | None] = [None] * len(selected)
    if models.rater is not None:
        with timer.stage("rate"):
            outlines = [nodule.reader_style for nodule in examination.nodules]
            ratings = models.rater.rate(examination.chest.volume, selected, outlines)
    with timer.stage("locate"):
        return tuple(
            thread_map(
                lambda parts: _finding(*parts, examination=examination),
                zip(selected, classes, examination.measurements, ratings, strict=True),
            )
        )


def _finding(
    candidate: Candidate,
    classes: Classification,
    measurements: NoduleMeasurements | None,
    malignancy: float | None,
    *,
    examination: Examination,
) -> Finding:
    return Finding(
        centre_world_mm=candidate.centre_world_mm,
        diameter_mm=measurements.sphere_diameter_mm if measurements else candidate.diameter_mm,
        score=candidate.score,
        class_probabilities=classes.probabilities,
        confidence_band=confidence_band(
            classes.probabilities, out_of_distribution=classes.out_of_distribution
        ),
        location=locate_in_lungs(examination.working, candidate.centre_world_mm),
        source=examination.chest.volume.source_pixel(candidate.centre_world_mm),
        measurements=measurements,
        malignancy=malignancy,
        notices=(OUT_OF_DISTRIBUTION,) if classes.out_of_distribution else (),
        activation_map=classes.activation_map,
    )
