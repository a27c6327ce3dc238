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
    from hounsfield.preprocessing.volume import Volume

OUT_OF_DISTRIBUTION = Notice(
    NoticeCode.OUTSIDE_TRAINING,
    "The surroundings of this finding are unlike everything the classifier was trained on: its "
    "class means nothing.",
)


def filled_slices_notice(
    volume: Volume, centre_world_mm: tuple[float, float, float], diameter_mm: float
) -> Notice | None:
    """Return a notice if interpolated slices cross a nodule, else None.

    Args:
        volume: The series on its native grid.
        centre_world_mm: Centre of the nodule, LPS mm.
        diameter_mm: Its largest diameter in mm.
    """
    middle = float(volume.voxel_xyz(centre_world_mm)[2])
    reach = diameter_mm / 2 / volume.spacing_mm[2]
    crossing = sum(abs(index - middle) <= reach + 0.5 for index in volume.filled_slices)
    if not crossing:
        return None
    slices = "1 slice" if crossing == 1 else f"{crossing} slices"
    message = f"{slices} through this finding had to be interpolated: its size is uncertain."
    return Notice(NoticeCode.MISSING_SLICES_FILLED, message, {"slices": crossing})


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
            ratings = models.rater.rate(examination.chest.upright, selected, outlines)
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
    volume = examination.chest.volume
    diameter_mm = measurements.sphere_diameter_mm if measurements else candidate.diameter_mm
    longest_mm = max(diameter_mm, measurements.long_axis_mm if measurements else 0.0)
    notices = (
        OUT_OF_DISTRIBUTION if classes.out_of_distribution else None,
        filled_slices_notice(volume, candidate.centre_world_mm, longest_mm),
    )
    return Finding(
        centre_world_mm=candidate.centre_world_mm,
        diameter_mm=diameter_mm,
        score=candidate.score,
        class_probabilities=classes.probabilities,
        confidence_band=confidence_band(
            classes.probabilities, out_of_distribution=classes.out_of_distribution
        ),
        location=locate_in_lungs(examination.working, candidate.centre_world_mm),
        source=volume.source_pixel(candidate.centre_world_mm),
        measurements=measurements,
        malignancy=malignancy,
        notices=tuple(notice for notice in notices if notice is not None),
        activation_map=classes.activation_map,
    )
