"""What growth needs of a study: its lungs, its findings with their sizes, its candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.inference.outlines import SegmentedNodule, outline
from hounsfield.models.measurements.nodule import measure
from hounsfield.pipeline.analysis.detection import keep, search
from hounsfield.pipeline.analysis.growth.change import NoduleSize
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from hounsfield.models.contracts import Candidate, Finding
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.config import RunConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument
    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class StudyNodules:
    """One study, as far as it is compared with another.

    Attributes:
        volume: The series.
        lungs: Its lungs.
        candidates: All of them.
        findings: What is reported, or would be.
        outlined: Of each finding.
        sizes: Of each finding; None where it was not measured.
    """

    volume: Volume
    lungs: Lungs
    candidates: Sequence[Candidate]
    findings: Sequence[Finding | Candidate]
    outlined: Sequence[SegmentedNodule]
    sizes: Sequence[NoduleSize | None]

    @classmethod
    def of(
        cls,
        volume: Volume,
        lungs: Lungs,
        candidates: Sequence[Candidate],
        findings: Sequence[Finding],
        outlined: Sequence[SegmentedNodule],
    ) -> StudyNodules:
        """Takes the sizes from what was measured on the findings."""
        sizes = [NoduleSize.of(one.measurements) for one in findings]
        return cls(volume, lungs, candidates, findings, outlined, sizes)


def look_at_earlier(
    series: Sequence[Series],
    *,
    models: Models,
    config: RunConfig,
    provenance: ProvenanceDocument,
    stage: Callable[[str], AbstractContextManager[None]],
) -> StudyNodules:
    """Reads an earlier study and finds and measures its nodules, as in a run over it alone.

    Args:
        series: Of that study, the best first; the next is tried where one cannot be read.
        models: Of the run.
        config: Of the run.
        provenance: Of the run.
        stage: Measures what happens inside, by name.

    Raises:
        SeriesError: None of them can be analysed; it is the error of the best.
    """
    with stage("read"):
        volume, lungs = _first_readable(series)
    _, candidates = search(volume, lungs, models=models, provenance=provenance, stage=stage)
    kept = keep(candidates, threshold=provenance.score_threshold, config=config.detection)
    with stage("segment"):
        nodules, sizes = outlined_and_sized(volume, kept, models)
    return StudyNodules(volume, lungs, candidates, kept, nodules, sizes)


def outlined_and_sized(
    volume: Volume, candidates: Sequence[Candidate], models: Models
) -> tuple[list[SegmentedNodule], list[NoduleSize | None]]:
    """The outlines and the size of each candidate; empty for all where there is no segmenter."""
    if models.segmenter is None:
        return [SegmentedNodule()] * len(candidates), [None] * len(candidates)
    nodules = outline(models.segmenter, volume, candidates)
    return nodules, [size_of(one, volume) for one in nodules]


def size_of(nodule: SegmentedNodule, volume: Volume) -> NoduleSize | None:
    """What is measured of a nodule; None where it has no outline."""
    measured = measure(nodule, volume)
    return NoduleSize.of(measured.as_mapping()) if measured else None


def _first_readable(series: Sequence[Series]) -> tuple[Volume, Lungs]:
    best_error: SeriesError | None = None
    for one in series:
        try:
            volume = read_volume(one)
            return volume, find_lungs(volume)
        except SeriesError as error:
            best_error = best_error or error
    assert best_error is not None
    raise best_error
