"""From a volume and its lungs to candidates, and to those that are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.working_grid import WORKING_SPACING_MM, to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.findings import Candidate
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.timing import StageTimer
    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


def detect_candidates(
    volume: Volume, lungs: Lungs, *, models: Models, timer: StageTimer
) -> tuple[WorkingVolume, list[Candidate]]:
    """Resample a volume to the working grid and detect every candidate there.

    Args:
        volume: The series in HU on its native grid.
        lungs: Lungs of this volume, from `find_lungs`.
        models: Detector and, where there is one, reducer; the detector names its own grid.
        timer: Records the stages ``working_grid``, ``detect`` and ``reduce``.

    Returns:
        The working volume at 1 mm, and all candidates with their final scores, best first.
    """
    with timer.stage("working_grid"):
        working = detector_grid = to_working_volume(volume, lungs)
        if models.detector_spacing_mm != WORKING_SPACING_MM:
            detector_grid = to_working_volume(volume, lungs, spacing_mm=models.detector_spacing_mm)
    with timer.stage("detect"):
        candidates = models.detector.detect(detector_grid)
    if models.reducer is not None:
        with timer.stage("reduce"):
            candidates = models.reducer.reduce(working, candidates)
    return working, candidates


def select_findings(
    candidates: Sequence[Candidate], *, score_threshold: float, max_findings: int
) -> list[Candidate]:
    """Select the candidates that become findings.

    Args:
        candidates: Every candidate of a series.
        score_threshold: Final score, 0 to 1, from which a candidate is reported.
        max_findings: The best so many are reported, even where more reach the threshold.

    Returns:
        The selected candidates, best score first.
    """
    selected = [candidate for candidate in candidates if candidate.score >= score_threshold]
    return sorted(selected, key=lambda candidate: -candidate.score)[:max_findings]
