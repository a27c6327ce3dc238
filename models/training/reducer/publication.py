"""The manifest of a trained reducer: its word joined to the detector's on held-out data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.calibration import joint_scores
from hounsfield.models.inference.loading import load_detector
from hounsfield.models.inference.reducer import CandidateReducer
from hounsfield.models.inference.runtimes import torch_network
from hounsfield.models.networks.reduce_net import ReduceNet
from hounsfield.models.store.folders import read_manifest
from hounsfield.models.store.manifest import Calibration, Manifest, ReducedDetector
from hounsfield.models.training.checks.insertion_benchmark import collect_marks
from hounsfield.models.training.detector.calibration import fit_logistic, operating_points, scored
from hounsfield.models.training.detector.publication import ROUNDS, trial_limit
from hounsfield.models.training.detector.task import held_out_cases
from hounsfield.models.training.engine.material import read_nodules, training_material
from hounsfield.models.training.reducer.task import own_detector, reduction_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.models.contracts import Candidate, Detector
    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.checks.insertion_benchmark import InsertionMarks
    from hounsfield.models.training.detector.calibration import DetectorValidation
    from hounsfield.models.training.engine.configuration import TrainingConfig
    from hounsfield.preprocessing.working_volume import WorkingVolume

RATES = (0.25, 1.0, 4.0)
DETECTOR_ALONE = Calibration(slope=0.0, detector_slope=1.0)


def reducer_manifest(config: TrainingConfig, trained_with: TrainedWith, weights: bytes) -> Manifest:
    """Calibrates behind the detector, on series and nodules that were not trained on.

    Raises:
        UsageError: The held-out data cannot be read, or hold no nodule at all.
    """
    plain, threads = _manifest(config, trained_with), config.optimisation.threads
    build = partial(ReduceNet, **config.network)
    marks = collect_marks(
        both(
            load_detector(own_detector(config), threads=threads),
            CandidateReducer(plain, torch_network(weights, build, threads=threads)),
        ),
        held_out_cases(config.data),
        read_nodules(config.data, "validation"),
        rounds=ROUNDS,
        seed=config.seed,
    )
    calibration = joint_calibration(marks)
    before = scored(marks, lambda logits: joint_scores(logits, DETECTOR_ALONE))
    after = scored(marks, partial(joint_scores, calibration=calibration))
    return plain.model_copy(
        update={
            "calibration": calibration,
            "operating_points": operating_points(after, Calibration()),
            "summary": f"{plain.summary} On the calibration volumes: sensitivity {_told(after)} "
            f"false positives a scan, the detector alone {_told(before)} "
            f"({len(after.hit_scores)} nodules, {after.scans} volumes).",
        }
    )


def both(
    detector: Detector, reducer: CandidateReducer
) -> Callable[[WorkingVolume], tuple[list[Candidate], NDArray[np.float64]]]:
    """A look at a volume by both: the marks, and the logits ``[marks, 2]`` of both models."""

    def look(volume: WorkingVolume) -> tuple[list[Candidate], NDArray[np.float64]]:
        marks = detector.detect(volume)
        return marks, reducer.logits(volume, marks)

    return look


def joint_calibration(marks: InsertionMarks) -> Calibration:
    """Fits score = logistic(slope x logit + detector_slope x detector's logit + intercept).

    As `detector_calibration.calibrate`, with the best mark on each nodule. Where there is no hit
    or no false mark nothing can be fitted, and both logits count the same.
    """
    hits = [logits[logits.sum(axis=1).argmax()] for logits in marks.on_nodules if len(logits)]
    if not hits or not len(marks.on_nothing):
        return Calibration(detector_slope=1.0)
    logits = np.concatenate((np.array(hits), marks.on_nothing))
    slopes, intercept = fit_logistic(logits, np.arange(len(logits)) < len(hits), marks.scans)
    return Calibration(slope=slopes[1], detector_slope=slopes[0], intercept=intercept)


def _told(trial: DetectorValidation) -> str:
    return ", ".join(f"{trial.sensitivity(rate):.2f} at {rate:g}" for rate in RATES)


def _manifest(config: TrainingConfig, trained_with: TrainedWith) -> Manifest:
    detector = read_manifest(own_detector(config))
    return Manifest(
        name=config.name,
        version=config.version,
        task="reducer",
        summary=f"Looks again at the candidates of {detector.name} {detector.version}, close up "
        "and around, and tells nodules from what only looks like one (ReduceNet, built of MONAI "
        "blocks).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(1.0, 1.0, 1.0),
        hu_window=reduction_plan(config).hu_window,
        calibration=Calibration(detector_slope=1.0),
        training_material=training_material(config.data),
        detector=ReducedDetector(
            name=detector.name, sha256=detector.sha256, calibration=detector.calibration
        ),
        trained_with=trained_with,
        limits=(
            f"Belongs to {detector.name} with weights {detector.sha256[:12]} alone.",
            "What the detector does not mark is not found.",
            trial_limit(config.data),
            "Not for children, not after surgery, not without a radiologist.",
        ),
    )
