"""Manifest of a trained detector: calibrated, with operating points, on held-out data."""

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
from hounsfield.models.training.engine.material import (
    held_out_cases,
    read_cases,
    read_nodules,
    training_material,
)

if TYPE_CHECKING:
    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.detector.configuration import DetectorTrainingConfig
    from hounsfield.models.training.engine.configuration import DataConfig

ROUNDS = 3
"""Number of times each validation volume is filled with other held-out nodules."""


def detector_manifest(
    config: DetectorTrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates on series and nodules of patients that were not trained on.

    Args:
        config: Training configuration of the weights.
        trained_with: Record of the training, for the manifest.
        weights: Content of a safetensors file.

    Returns:
        The manifest, without the hash of the weights.

    Raises:
        UsageError: The held-out data cannot be read, or hold no nodule at all.
    """
    plain = _manifest(config, trained_with)
    build = partial(CentreNet, **config.network)
    network = torch_network(weights, build, threads=config.optimisation.threads)
    validation = validate_detector(
        HeatmapDetector(plain, network),
        held_out_cases(config.data),
        read_nodules(config.data, "validation"),
        rounds=ROUNDS,
        seed=config.seed,
    )
    calibration = calibrate(validation)
    return plain.model_copy(
        update={
            "calibration": calibration,
            "operating_points": operating_points(validation, calibration),
            "summary": f"{plain.summary} On the validation volumes: sensitivity "
            f"{validation.sensitivities()} false positives per scan "
            f"({len(validation.hit_scores)} nodules, {validation.scans} volumes).",
        }
    )


def threshold_limit(data: DataConfig) -> str:
    """Returns the sentence of a model card about the volumes on which thresholds were set.

    Args:
        data: Folders, fold and held-out patients of the training.
    """
    held_out = {case.series_uid for case in held_out_cases(data) if not case.synthetic}
    trained_on = any(case.series_uid in held_out for case in read_cases(data, "training"))
    return "Thresholds were set on nodules of unseen patients" + (
        ", in lungs that were trained on." if trained_on else " and lungs of unseen patients."
    )


def _manifest(config: DetectorTrainingConfig, trained_with: TrainedWith) -> Manifest:
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
        hu_window=config.sampling.hu_window,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            (
                "Expect more false positives on scanners, kernels and diseases that the series "
                "above do not show."
            ),
            threshold_limit(config.data),
            "Not for children, not after surgery, not without a radiologist.",
        ),
    )
