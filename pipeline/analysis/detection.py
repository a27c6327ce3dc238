"""From a volume and its lungs to the candidates, and to those that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.working_grid import WORKING_SPACING_MM, to_working_volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from hounsfield.models.contracts import Candidate
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.config import DetectionConfig
    from hounsfield.pipeline.report.schema import ProvenanceDocument
    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


def search(
    volume: Volume,
    lungs: Lungs,
    *,
    models: Models,
    provenance: ProvenanceDocument,
    stage: Callable[[str], AbstractContextManager[None]],
) -> tuple[WorkingVolume, list[Candidate]]:
    """Brings a volume to the working grid and finds every candidate there.

    Args:
        volume: The series.
        lungs: Its lungs.
        models: Of the run.
        provenance: Tells the detector's own grid.
        stage: Measures what happens inside, by name.
    """
    with stage("working_grid"):
        working = to_working_volume(volume, lungs)
        seen = working
        if provenance.detector_spacing_mm != WORKING_SPACING_MM:
            seen = to_working_volume(volume, lungs, spacing_mm=provenance.detector_spacing_mm)
    with stage("detect"):
        candidates = models.detector.detect(seen)
    if models.reducer is not None:
        with stage("reduce"):
            candidates = models.reducer.reduce(working, candidates)
    return working, candidates


def keep(
    candidates: list[Candidate], *, threshold: float, config: DetectionConfig
) -> list[Candidate]:
    """Keeps the candidates that become findings: those from `threshold` up, the best few."""
    kept = [candidate for candidate in candidates if candidate.score >= threshold]
    return sorted(kept, key=lambda candidate: -candidate.score)[: config.max_findings]
