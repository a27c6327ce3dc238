"""Manifest of a trained reducer: calibrated together with its detector on held-out data."""

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
from hounsfield.models.training.checks.insertion_benchmark import collect_candidates
from hounsfield.models.training.detector.calibration import (
    fit_candidates,
    operating_points,
    score_candidates,
)
from hounsfield.models.training.detector.publication import ROUNDS, threshold_limit
from hounsfield.models.training.engine.material import (
    held_out_cases,
    read_nodules,
    training_material,
)
from hounsfield.models.training.reducer.task import detector_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.findings import Candidate
    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.checks.insertion_benchmark import InsertionCandidates
    from hounsfield.models.training.reducer.configuration import ReducerTrainingConfig
    from hounsfield.preprocessing.working_volume import WorkingVolume

DETECTOR_ONLY = Calibration(slope=0.0, detector_slope=1.0)


def reducer_manifest(
    config: ReducerTrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates behind the detector, on series and nodules that were not trained on.

    Args:
        config: Training configuration of the weights; names the detector.
        trained_with: Record of the training, for the manifest.
        weights: Content of a safetensors file.

    Returns:
        The manifest, without the hash of the weights.

    Raises:
        UsageError: The held-out data cannot be read, or hold no nodule at all.
    """
    plain, threads = _manifest(config, trained_with), config.optimisation.threads
    build = partial(ReduceNet, **config.network)
    detector = load_detector(detector_folder(config), threads=threads)
    reducer = CandidateReducer(plain, torch_network(weights, build, threads=threads))

    def detect(volume: WorkingVolume) -> tuple[list[Candidate], NDArray[np.float64]]:
        candidates = detector.detect(volume)
        return candidates, reducer.logits(volume, candidates)

    candidates = collect_candidates(
        detect,
        held_out_cases(config.data),
        read_nodules(config.data, "validation"),
        rounds=ROUNDS,
        seed=config.seed,
    )
    calibration = joint_calibration(candidates)
    before = score_candidates(candidates, lambda logits: joint_scores(logits, DETECTOR_ONLY))
    after = score_candidates(candidates, partial(joint_scores, calibration=calibration))
    return plain.model_copy(
        update={
            "calibration": calibration,
            "operating_points": operating_points(after, Calibration()),
            "summary": f"{plain.summary} On the validation volumes: sensitivity "
            f"{after.sensitivities()} false positives per scan, the detector alone "
            f"{before.sensitivities()} ({len(after.hit_scores)} nodules, {after.scans} volumes).",
        }
    )


def joint_calibration(candidates: InsertionCandidates) -> Calibration:
    """Fits score = logistic(slope x logit + detector_slope x detector's logit + intercept).

    As `detector.calibration.calibrate`, with the best candidate on each nodule.

    Args:
        candidates: Candidates on the validation set; their ratings are the logits of detector and
            reducer.

    Returns:
        The calibration; one that adds both logits where there is no hit or no false positive.
    """
    hits = [logits[logits.sum(axis=1).argmax()] for logits in candidates.on_nodules if len(logits)]
    if not hits or not len(candidates.false_positives):
        return Calibration(detector_slope=1.0)
    logits = np.concatenate((np.array(hits), candidates.false_positives))
    slopes, intercept = fit_candidates(logits, len(hits), candidates.scans)
    return Calibration(slope=slopes[1], detector_slope=slopes[0], intercept=intercept)


def _manifest(config: ReducerTrainingConfig, trained_with: TrainedWith) -> Manifest:
    detector = read_manifest(detector_folder(config))
    return Manifest(
        name=config.name,
        version=config.version,
        task="reducer",
        summary=f"Rates the candidates of {detector.name} {detector.version} again, from a close "
        "and a wide view, to separate nodules from look-alikes (ReduceNet, built of MONAI "
        "blocks).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(1.0, 1.0, 1.0),
        hu_window=config.sampling.hu_window,
        calibration=Calibration(detector_slope=1.0),
        training_material=training_material(config.data),
        detector=ReducedDetector(
            name=detector.name, sha256=detector.sha256, calibration=detector.calibration
        ),
        trained_with=trained_with,
        limits=(
            f"Belongs to {detector.name} with weights {detector.sha256[:12]} alone.",
            "Nodules that the detector misses stay missed.",
            threshold_limit(config.data),
            "Not for children, not after surgery, not without a radiologist.",
        ),
    )
