"""Compares the findings of a study with the earlier study of the same patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hounsfield.pipeline.analysis.growth.change import size_change
from hounsfield.pipeline.analysis.growth.matching import match_findings, nearest_candidate
from hounsfield.pipeline.analysis.growth.study_nodules import look_at_earlier, outlined_and_sized
from hounsfield.pipeline.assessment.guidelines import IntervalChanges
from hounsfield.pipeline.report.figures.pair_picture import pair_picture
from hounsfield.pipeline.report.filenames import growth_picture_name
from hounsfield.pipeline.report.growth_schema import GrowthDocument
from hounsfield.pipeline.report.growth_section import (
    Compared,
    EarlierNodule,
    cautions,
    finding_entry,
    not_seen_again_entry,
    study_entry,
)
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.registration import register_lungs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.contracts import WorldPoint
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.growth.study_nodules import StudyNodules
    from hounsfield.pipeline.batch.prior_studies import Prior
    from hounsfield.pipeline.config import ReportConfig, RunConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument
    from hounsfield.preprocessing.registration import LungRegistration
    from hounsfield.preprocessing.volume import Volume

NOT_REGISTERED = "The lungs of the two studies could not be laid on one another: not compared."


@dataclass(frozen=True, slots=True)
class Growth:
    """What is said of growth.

    Attributes:
        document: For the report; None where the input holds no other study of the patient.
        pictures: PNG files by name: then and now.
        courses: Of each finding, in a guideline's words; None where nothing was compared.
    """

    document: GrowthDocument | None = None
    pictures: dict[str, bytes] = field(default_factory=dict)
    courses: tuple[IntervalChanges, ...] | None = None


def growth_since(
    prior: Prior | None,
    later: StudyNodules,
    *,
    models: Models,
    config: RunConfig,
    provenance: ProvenanceDocument,
    stage: Callable[[str], AbstractContextManager[None]],
) -> Growth:
    """Compares a study with the earlier one of the patient, if there is one.

    What is wrong with the earlier study does not fail the later one: it is said instead.

    Args:
        prior: The earlier study.
        later: The study of the report.
        models: Of the run.
        config: Of the run.
        provenance: Of the run.
        stage: Measures what happens inside, by name.
    """
    if prior is None:
        return Growth()
    if not prior.series:
        return Growth(GrowthDocument(earlier=None, why_not=prior.why_not))
    try:
        earlier = look_at_earlier(
            prior.series,
            models=models,
            config=config,
            provenance=provenance,
            stage=lambda name: stage(f"earlier_{name}"),
        )
    except (SeriesError, MemoryError) as error:
        why = error.reason.value if isinstance(error, SeriesError) else "out_of_memory"
        told = f"The earlier study, {prior.days} days before, could not be analysed: {why}."
        return Growth(GrowthDocument(earlier=None, why_not=told))
    with stage("register"):
        registration = register_lungs(later.lungs, earlier.lungs)
    document = GrowthDocument(
        earlier=study_entry(earlier, prior.days),
        lung_overlap=round(registration.overlap, 3),
        vessel_correlation=round(registration.vessel_correlation, 3),
        cautions=cautions(later.volume, earlier.volume),
    )
    if not registration.is_good:
        return Growth(document.model_copy(update={"why_not": NOT_REGISTERED}))
    with stage("compare"):
        compared = _compared(later, earlier, registration, models, prior.days)
        entries = [finding_entry(one) for one in compared]
        matched = {id(one.then.mark) for one in compared if one.then}
        for index, finding in enumerate(earlier.findings):
            if id(finding) not in matched:
                place = _point(registration.later_world_mm(finding.centre_world_mm))
                mark = nearest_candidate(place, finding, later.candidates)
                then = EarlierNodule(finding, earlier.sizes[index], earlier.outlined[index])
                inside = _is_inside(later.volume, place)
                entries.append(not_seen_again_entry(then, place, mark, inside=inside))
        pictures = _pictures(compared, later, earlier, config.report)
    return Growth(
        document.model_copy(update={"nodules": tuple(entries)}),
        pictures,
        tuple(_courses(one) for one in compared),
    )


def _compared(
    later: StudyNodules,
    earlier: StudyNodules,
    registration: LungRegistration,
    models: Models,
    days: int,
) -> list[Compared]:
    """Each finding of the later study beside what the earlier one has in its place."""
    places = [_point(registration.earlier_world_mm(one.centre_world_mm)) for one in later.findings]
    pairs = match_findings(places, later.findings, earlier.findings)
    compared = []
    for index, place in enumerate(places):
        pair = pairs.get(index)
        then = (
            _below_operating_point(later, index, place, earlier, models)
            if pair is None
            else EarlierNodule(earlier.findings[pair], earlier.sizes[pair], earlier.outlined[pair])
        )
        change = None
        if then is not None:
            now = later.sizes[index]
            if then.size and now:
                change = size_change(then.size, now, days=days)
        inside = then is not None or _is_inside(earlier.volume, place)
        compared.append(Compared(index + 1, place, then, change, inside=inside))
    return compared


def _below_operating_point(
    later: StudyNodules,
    index: int,
    place_world_mm: WorldPoint,
    earlier: StudyNodules,
    models: Models,
) -> EarlierNodule | None:
    """A mark of the earlier study that is none of its findings, where a finding is looked for.

    One that the segmenter finds nothing at is no nodule.
    """
    taken = {one.centre_world_mm for one in earlier.findings}
    free = [one for one in earlier.candidates if one.centre_world_mm not in taken]
    mark = nearest_candidate(place_world_mm, later.findings[index], free)
    if mark is None:
        return None
    (nodule,), (size,) = outlined_and_sized(earlier.volume, [mark], models)
    if models.segmenter is not None and size is None:
        return None
    return EarlierNodule(mark, size, nodule, is_finding=False)


def _courses(one: Compared) -> IntervalChanges:
    """What guidelines ask; nothing is known where nothing could be compared."""
    if one.change is not None:
        return IntervalChanges(one.change.course, one.change.solid_part_change)
    return IntervalChanges("new", "new") if one.then is None and one.inside else IntervalChanges()


def _pictures(
    compared: Sequence[Compared], later: StudyNodules, earlier: StudyNodules, config: ReportConfig
) -> dict[str, bytes]:
    """Then and now, for each finding whose place the earlier study shows."""
    pictures = {}
    for one in compared:
        if one.inside:
            index = one.number - 1
            pictures[growth_picture_name(one.number)] = pair_picture(
                earlier.volume,
                one.then.mark.centre_world_mm if one.then else one.place_world_mm,
                one.then.outlined.boundary if one.then else None,
                later.volume,
                later.findings[index],
                later.outlined[index].boundary,
                config,
            )
    return pictures


def _is_inside(volume: Volume, place_world_mm: WorldPoint) -> bool:
    """Whether a place lies in the images."""
    voxel = volume.voxel_xyz(place_world_mm)
    return all(0 <= v <= n - 1 for v, n in zip(voxel, volume.shape_zyx[::-1], strict=True))


def _point(place_world_mm: NDArray[np.float64]) -> WorldPoint:
    x, y, z = place_world_mm.tolist()
    return x, y, z
