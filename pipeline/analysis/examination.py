"""The front half of every analysis: volume, lungs, quality, candidates, outlines, sizes.

A run, the earlier study it compares with, ``hounsfield inspect`` and the Python API all go through
`find_chest`; all but ``inspect`` go on through `examine`. Nodules are detected,
outlined and measured on `Chest.upright`; lungs and quality turn the volume for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.inference.outlines import segment_findings
from hounsfield.models.measurements.nodule import SegmentedNodule, measure
from hounsfield.pipeline.analysis.detection import detect_candidates, select_findings
from hounsfield.preprocessing.extent import stack_rejection
from hounsfield.preprocessing.geometry.reorient import upright
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.parallel import thread_map
from hounsfield.preprocessing.quality.assess import assess_quality

if TYPE_CHECKING:
    from hounsfield.models.findings import Candidate, NoduleMeasurements
    from hounsfield.models.inference.loading import Models
    from hounsfield.pipeline.analysis.timing import StageTimer
    from hounsfield.pipeline.config import DetectionConfig
    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """A volume in which the lungs were found.

    Attributes:
        volume: The series in HU on its native grid.
        upright: These voxels with x to the patient's left, y to the back and z to the head: the
            volume itself where it is stored so, else a view of it. Outlines lie on this grid.
        lungs: The lungs of the volume.
        notices: Notices about the series, in the order in which they arose.
    """

    volume: Volume
    upright: Volume
    lungs: Lungs
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """Candidates and nodules of one series, before classification.

    Attributes:
        chest: The volume with its lungs.
        working: The working grid around the lungs.
        candidates: Every candidate, best score first.
        selected: The candidates that become findings, best score first.
        nodules: The outlines of each selected candidate, on the upright grid.
        measurements: The measurements of each selected candidate; None where it has no outline.
    """

    chest: Chest
    working: WorkingVolume
    candidates: tuple[Candidate, ...]
    selected: tuple[Candidate, ...]
    nodules: tuple[SegmentedNodule, ...]
    measurements: tuple[NoduleMeasurements | None, ...]


def find_chest(volume: Volume, *, timer: StageTimer) -> Chest:
    """Find the lungs of a volume and assess its quality.

    Args:
        volume: The series in HU on its native grid.
        timer: Records the stages ``lungs`` and ``quality``.

    Returns:
        The volume with its lungs and all of its notices.

    Raises:
        SeriesError: The volume is too short for a chest, or no lungs are found.
    """
    upright_volume = upright(volume)
    rejection = stack_rejection(upright_volume.hu.shape[0], upright_volume.spacing_mm[2])
    if rejection is not None:
        raise rejection
    with timer.stage("lungs"):
        lungs = find_lungs(volume)
    with timer.stage("quality"):
        notices = (*volume.notices, *assess_quality(volume, lungs))
    return Chest(volume, upright_volume, lungs, notices)


def examine(
    chest: Chest, *, models: Models, config: DetectionConfig, timer: StageTimer
) -> Examination:
    """Detect, select, segment and measure the nodules of a chest.

    Args:
        chest: The volume with its lungs.
        models: Detector, and reducer and segmenter where there are any.
        config: Operating point and the largest number of findings.
        timer: Records each stage by name.

    Returns:
        The candidates, and the outline and measurements of those that become findings.
    """
    volume = chest.upright
    working, candidates = detect_candidates(volume, chest.lungs, models=models, timer=timer)
    selected = select_findings(
        candidates,
        score_threshold=models.score_threshold(config.operating_point),
        max_findings=config.max_findings,
    )
    nodules = [SegmentedNodule()] * len(selected)
    if models.segmenter is not None:
        with timer.stage("segment"):
            nodules = segment_findings(models.segmenter, volume, selected)
    with timer.stage("measure"):
        measurements = thread_map(lambda nodule: measure(nodule, volume, working), nodules)
    return Examination(
        chest, working, tuple(candidates), tuple(selected), tuple(nodules), tuple(measurements)
    )
