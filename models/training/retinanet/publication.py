"""Manifest of a trained RetinaNet, calibrated on the series of the validation fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.inference.retina_detector import RetinaDetector
from hounsfield.models.networks.retina_net import retina_config
from hounsfield.models.store.manifest import Calibration, Manifest
from hounsfield.models.training.detector.calibration import (
    calibrate,
    operating_points,
    validate_detector,
)
from hounsfield.models.training.engine.material import training_material
from hounsfield.models.training.retinanet.task import retina_cases

if TYPE_CHECKING:
    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.retinanet.configuration import RetinaTrainingConfig


def retina_manifest(
    config: RetinaTrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates on the whole series of the validation fold.

    Args:
        config: Training configuration of the weights.
        trained_with: Record of the training, for the manifest.
        weights: Content of a safetensors file.

    Returns:
        The manifest, without the hash of the weights.

    Raises:
        UsageError: The held-out data cannot be read, or hold no nodule at all.
    """
    training, validation_cases = retina_cases(config.data)
    plain = Manifest(
        name=config.name,
        version=config.version,
        task="detector",
        summary="A RetinaNet as in the MONAI bundle lung_nodule_ct_detection, trained with its "
        "configuration at the spacing below.",
        licence="Apache-2.0",
        architecture="retina_net",
        network=retina_config(config.network).as_settings(),
        weights="",
        sha256="",
        spacing_mm=training[0].volume.spacing_mm,
        hu_window=config.sampling.hu_window,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            (
                "Expect more false positives on scanners, kernels and diseases that the series "
                "above do not show."
            ),
            f"Thresholds were set on {len(validation_cases)} series of patients not trained on.",
            "Not for children, not after surgery, not without a radiologist.",
        ),
    )
    detector = RetinaDetector(plain, weights, threads=config.optimisation.threads)
    validation = validate_detector(detector, validation_cases, [], rounds=0, seed=config.seed)
    calibration = calibrate(validation)
    return plain.model_copy(
        update={
            "calibration": calibration,
            "operating_points": operating_points(validation, calibration),
        }
    )
