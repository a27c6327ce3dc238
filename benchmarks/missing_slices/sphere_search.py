"""Searches a volume with the shipped models, and measures the spheres in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks import shipped_models
from hounsfield.models.findings import Candidate
from hounsfield.models.inference.loading import load_segmenter
from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.measurements.size import volume_mm3
from hounsfield.models.store.folders import model_folder
from hounsfield.preprocessing.parallel import available_processors
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.missing_slices.inserted_spheres import Background, Sphere
    from hounsfield.models.contracts import Segmenter
    from hounsfield.models.inference.loading import Models
    from hounsfield.preprocessing.volume import Volume

HIT_MM = 5.0
"""A candidate this near to the centre of a sphere is the sphere, and a candidate of another search
this near to a candidate is the same one. Spheres lie much farther apart."""

REDUCED_AT_ONCE = 50
"""The reducer scores so many candidates of a series, and here all: spheres are many."""


class Searcher(NamedTuple):
    """The shipped models, and the score from which a candidate is reported."""

    models: Models
    segmenter: Segmenter
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """What one search found, sphere by sphere.

    Attributes:
        scores: ``[spheres]``, the best score on each; 0 where there is no candidate.
        volumes_mm3: ``[spheres]``, measured; 0 where no outline was found, NaN where it was not
            measured.
        false_positives_mm: ``[n, 3]``, LPS mm: reported candidates that are on no sphere.
    """

    scores: NDArray[np.float64]
    volumes_mm3: NDArray[np.float64]
    false_positives_mm: NDArray[np.float64]


def load_searcher() -> Searcher:
    """Loads detector, reducer and segmenter, with the default operating point."""
    threads = available_processors()
    models = shipped_models(threads=threads)
    segmenter = load_segmenter(model_folder("nodule_segmenter"), threads=threads)
    return Searcher(models, segmenter, models.score_threshold("default"))


def search(
    searcher: Searcher,
    background: Background,
    volume: Volume,
    spheres: Sequence[Sphere],
    *,
    measured: Sequence[bool] | None = None,
) -> SearchResult:
    """Searches a volume as a run does, and measures its spheres.

    A sphere is measured from its best candidate, or from its true place and size if there is none.

    Args:
        searcher: The models.
        background: The chest, whose lungs are used.
        volume: The chest with the spheres, with or without filled slices.
        spheres: The spheres in it.
        measured: Which of them are measured; None measures all.
    """
    working = to_working_volume(volume, background.lungs)
    candidates = searcher.models.detector.detect(working)
    if searcher.models.reducer is not None:
        candidates = [
            candidate
            for first in range(0, len(candidates), REDUCED_AT_ONCE)
            for candidate in searcher.models.reducer.reduce(
                working, candidates[first : first + REDUCED_AT_ONCE]
            )
        ]
    best = [_best_hit(candidates, sphere) for sphere in spheres]
    chosen = [index for index in range(len(spheres)) if measured is None or measured[index]]
    volumes = np.full(len(spheres), np.nan)
    for index, nodule in zip(
        chosen,
        segment_findings(searcher.segmenter, volume, [best[index] for index in chosen]),
        strict=True,
    ):
        outline = nodule.boundary
        volumes[index] = volume_mm3(outline.fraction, volume.spacing_mm) if outline else 0.0
    centres = np.array([sphere.centre_world_mm for sphere in spheres])
    false_positives = [
        candidate.centre_world_mm
        for candidate in candidates
        if candidate.score >= searcher.threshold
        and np.linalg.norm(centres - candidate.centre_world_mm, axis=1).min() > HIT_MM
    ]
    return SearchResult(
        np.array([candidate.score for candidate in best]),
        volumes,
        np.array(false_positives).reshape(-1, 3),
    )


def gained_false_positives(before: SearchResult, after: SearchResult) -> int:
    """Counts the false positives of a search that an earlier one does not have.

    Args:
        before: The search of the intact series.
        after: The search of the series with filled slices.
    """
    return sum(
        not np.any(np.linalg.norm(before.false_positives_mm - place, axis=1) <= HIT_MM)
        for place in after.false_positives_mm
    )


def _best_hit(candidates: Sequence[Candidate], sphere: Sphere) -> Candidate:
    """The best candidate on a sphere; one with its true place and size and a score of 0 if none."""
    missed = Candidate(sphere.centre_world_mm, sphere.kind.diameter_mm, 0.0)
    hits = [
        candidate
        for candidate in candidates
        if np.linalg.norm(np.subtract(candidate.centre_world_mm, sphere.centre_world_mm)) <= HIT_MM
    ]
    return max(hits, key=lambda candidate: candidate.score, default=missed)
