"""The manifest of a trained detector: calibrated, with operating points, on held-out data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hounsfield.models.inference.detector import HeatmapDetector
from hounsfield.models.inference.runtimes import torch_network
from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.store.manifest import Calibration, Manifest
from hounsfield.models.training.detector.calibration import (
    calibrate,
    operating_points,
    validate_detector,
)
from hounsfield.models.training.detector.task import held_out_cases, sampling_plan
from hounsfield.models.training.engine.material import read_cases, read_nodules, training_material

if TYPE_CHECKING:
    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.engine.configuration import DataConfig, TrainingConfig

ROUNDS = 3
"""How often each calibration volume is filled with other held-out nodules."""


def detector_manifest(
    config: TrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates on series and nodules of patients that were not trained on.

    Raises:
        UsageError: The held-out data cannot be read, or hold no nodule at all.
    """
    plain = _manifest(config, trained_with)
    build = partial(CentreNet, **config.network)
    network = torch_network(weights, build, threads=config.optimisation.threads)
    trial = validate_detector(
        HeatmapDetector(plain, network),
        held_out_cases(config.data),
        read_nodules(config.data, "validation"),
        rounds=ROUNDS,
        seed=config.seed,
    )
    calibration = calibrate(trial)
    found = ", ".join(f"{trial.sensitivity(rate):.2f} at {rate:g}" for rate in (0.25, 1.0, 4.0))
    return plain.model_copy(
        update={
            "calibration": calibration,
            "operating_points": operating_points(trial, calibration),
            "summary": f"{plain.summary} On the calibration volumes: sensitivity {found} false "
            f"positives a scan ({len(trial.hit_scores)} nodules, {trial.scans} volumes).",
        }
    )


def trial_limit(data: DataConfig) -> str:
    """What a card says of the volumes that thresholds were set on."""
    held_out = {case.series_uid for case in held_out_cases(data) if not case.synthetic}
    seen = any(case.series_uid in held_out for case in read_cases(data, "training"))
    return "Thresholds were set on nodules of unseen patients" + (
        ", in lungs that were seen." if seen else " and lungs of unseen patients."
    )


def _manifest(config: TrainingConfig, trained_with: TrainedWith) -> Manifest:
    return Manifest(
        name=config.name,
        version=config.version,
        task="detector",
        summary="Marks lung nodules on a heat-map at a quarter of the 1 mm grid (CentreNet, built "
        "of MONAI blocks).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(1.0, 1.0, 1.0),
        hu_window=sampling_plan(config).hu_window,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            (
                "Expect more false positives on scanners, kernels and diseases that the series "
                "above do not show."
            ),
            trial_limit(config.data),
            "Not for children, not after surgery, not without a radiologist.",
        ),
    )
