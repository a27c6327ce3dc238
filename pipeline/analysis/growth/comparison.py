"""Compares the findings of a study with the patient's most recent earlier study."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.measurements.nodule import SegmentedNodule, measure
from hounsfield.pipeline.analysis.examination import Examination, examine, find_chest
from hounsfield.pipeline.analysis.growth.matching import match_findings, nearest_candidate
from hounsfield.pipeline.assessment.growth import (
    ComparedFinding,
    EarlierNodule,
    EarlierStudy,
    GrowthComparison,
    MissingNodule,
)
from hounsfield.pipeline.assessment.interval_change import NoduleSize, size_change
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.registration import register_lungs

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.findings import Candidate, Finding, WorldPoint
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.growth.prior import Prior
    from hounsfield.pipeline.analysis.timing import StageTimer
    from hounsfield.pipeline.config import DetectionConfig
    from hounsfield.preprocessing.registration import LungRegistration
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume

NOT_REGISTERED = "The lungs of the two studies could not be registered: not compared."


def compare_with_prior(
    prior: Prior,
    later: Examination,
    findings: Sequence[Finding],
    *,
    models: Models,
    config: DetectionConfig,
    timer: StageTimer,
) -> GrowthComparison:
    """Compare the findings of a study with the earlier one.

    A fault of the earlier study does not fail the later one: the result says what was wrong.

    Args:
        prior: The earlier study, or the reason why there is none to compare with.
        later: The examination of the later study.
        findings: Findings of the later study.
        models: The models of the run, which examine the earlier study too.
        config: Operating point and the largest number of findings.
        timer: Records the stages; those of the earlier study begin with ``earlier_``.

    Returns:
        Each finding beside what the earlier study shows at its place.
    """
    if not prior.series:
        return GrowthComparison(reason=prior.reason)
    try:
        earlier = _examine_first_readable(
            prior.series, models=models, config=config, timer=timer.prefixed("earlier_")
        )
    except (SeriesError, MemoryError) as error:
        code = error.reason.value if isinstance(error, SeriesError) else "out_of_memory"
        return GrowthComparison(
            reason=f"The earlier study, {prior.days} days before, could not be analysed: {code}."
        )
    with timer.stage("register"):
        registration = register_lungs(later.chest.lungs, earlier.chest.lungs)
    study = EarlierStudy(
        earlier.chest.upright,
        prior.days,
        len(earlier.selected),
        registration.overlap,
        registration.vessel_correlation,
    )
    if not registration.is_good:
        return GrowthComparison(study, NOT_REGISTERED)
    with timer.stage("compare"):
        compared = _compare(later, findings, earlier, registration, models, prior.days)
        matched = {id(finding.earlier.candidate) for finding in compared if finding.earlier}
        missing = [
            _missing(later, earlier, index, registration)
            for index, candidate in enumerate(earlier.selected)
            if id(candidate) not in matched
        ]
    return GrowthComparison(study, findings=tuple(compared), missing=tuple(missing))


def _examine_first_readable(
    series: Sequence[Series], *, models: Models, config: DetectionConfig, timer: StageTimer
) -> Examination:
    """Examine the best series of a study that can be read.

    Raises:
        SeriesError: None of them can be analysed; it is the error of the best.
    """
    best_error: SeriesError | None = None
    for candidate_series in series:
        try:
            with timer.stage("read"):
                volume = read_volume(candidate_series)
            chest = find_chest(volume, timer=timer)
        except SeriesError as error:
            best_error = best_error or error
        else:
            return examine(chest, models=models, config=config, timer=timer)
    assert best_error is not None
    raise best_error


def _compare(
    later: Examination,
    findings: Sequence[Finding],
    earlier: Examination,
    registration: LungRegistration,
    models: Models,
    days: int,
) -> list[ComparedFinding]:
    """Each finding of the later study beside what the earlier one has at its place."""
    places = [_point(registration.earlier_world_mm(f.centre_world_mm)) for f in findings]
    pairs = match_findings(places, findings, earlier.selected)
    compared = []
    for index, (finding, place) in enumerate(zip(findings, places, strict=True)):
        pair = pairs.get(index)
        nodule = (
            _below_operating_point(finding, place, earlier, models)
            if pair is None
            else _earlier_nodule(earlier, pair)
        )
        size, change = NoduleSize.of(later.measurements[index]), None
        if nodule is not None and nodule.size and size:
            change = size_change(nodule.size, size, days=days)
        inside = nodule is not None or _is_inside(earlier.chest.volume, place)
        compared.append(ComparedFinding(index + 1, place, nodule, change, inside))
    return compared


def _earlier_nodule(earlier: Examination, index: int) -> EarlierNodule:
    """A finding of the earlier study."""
    return EarlierNodule(
        earlier.selected[index],
        NoduleSize.of(earlier.measurements[index]),
        earlier.nodules[index].boundary,
    )


def _below_operating_point(
    finding: Finding, place_world_mm: WorldPoint, earlier: Examination, models: Models
) -> EarlierNodule | None:
    """A candidate of the earlier study that is not one of its findings, at a finding's place.

    Where the segmenter finds nothing, there is no nodule.
    """
    reported = {candidate.centre_world_mm for candidate in earlier.selected}
    others = [c for c in earlier.candidates if c.centre_world_mm not in reported]
    candidate = nearest_candidate(place_world_mm, finding, others)
    if candidate is None:
        return None
    nodule = SegmentedNodule()
    if models.segmenter is not None:
        (nodule,) = segment_findings(models.segmenter, earlier.chest.upright, [candidate])
    size = NoduleSize.of(measure(nodule, earlier.chest.upright))
    if models.segmenter is not None and size is None:
        return None
    return EarlierNodule(candidate, size, nodule.boundary, is_finding=False)


def _missing(
    later: Examination, earlier: Examination, index: int, registration: LungRegistration
) -> MissingNodule:
    """A finding of the earlier study that no finding of the later one matches."""
    nodule = _earlier_nodule(earlier, index)
    place = _point(registration.later_world_mm(nodule.candidate.centre_world_mm))
    candidate: Candidate | None = nearest_candidate(place, nodule.candidate, later.candidates)
    return MissingNodule(nodule, place, candidate, _is_inside(later.chest.volume, place))


def _is_inside(volume: Volume, world_mm: WorldPoint) -> bool:
    """Whether a place lies in the images."""
    voxel = volume.voxel_xyz(world_mm)
    return all(0 <= v <= n - 1 for v, n in zip(voxel, volume.shape_zyx[::-1], strict=True))


def _point(world_mm: NDArray[np.float64]) -> WorldPoint:
    x, y, z = world_mm.tolist()
    return x, y, z
