"""Manifest of a trained malignancy rater, with a calibration on other patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load

from hounsfield.models.inference.rater import MalignancyRater
from hounsfield.models.networks.rate_net import RateNet
from hounsfield.models.store.manifest import Calibration, Manifest, TrainedWith
from hounsfield.models.training.engine.calibration_fit import fit_ridge_platt
from hounsfield.models.training.engine.material import read_nodules, training_material
from hounsfield.models.training.rater.samples import as_outlined, is_suspicious
from hounsfield.models.views.rating import GRID_MM, HU_WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.rater.configuration import RaterTrainingConfig

RIDGE = 0.01
"""Ridge of the calibration: of 0.001, 0.01 and 0.03 the one with the lowest Brier score."""


def rater_manifest(
    config: RaterTrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Fits the calibration on the nodules of the validation fold.

    Args:
        config: Training configuration of the weights.
        trained_with: Record of the training, for the manifest.
        weights: Content of a safetensors file.

    Returns:
        The manifest, without the hash of the weights.
    """
    manifest = Manifest(
        name=config.name,
        version=config.version,
        task="rater",
        summary="",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(GRID_MM,) * 3,
        hu_window=HU_WINDOW,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            "Radiologists' rating, not pathology: what they suspect, not what it is.",
            "Trained on nodules of 3 to 33 mm; larger masses are out of distribution.",
            (
                "It sees the outlined slices only: not the place in the lung, growth, age or "
                "smoking."
            ),
        ),
    )
    nodules = [
        nodule
        for nodule in read_nodules(config.data, "validation")
        if is_suspicious(nodule.finding) is not None
    ]
    logits = _rating_logits(config, manifest, weights, nodules)
    suspicious = np.array([is_suspicious(nodule.finding) for nodule in nodules], bool)
    summary = (
        "The probability that radiologists rate a nodule 4 or 5 rather than 1 or 2 for malignancy "
        "(MONAI ResNet beside a linear model of measurements): their rating, not pathology. "
        f"Calibrated on {len(nodules)} nodules of other patients."
    )
    calibration = fitted_calibration(logits, suspicious)
    return manifest.model_copy(update={"summary": summary, "calibration": calibration})


def fitted_calibration(logits: NDArray[np.float64], suspicious: NDArray[np.bool_]) -> Calibration:
    """Fits slope and intercept, held near one and zero.

    Args:
        logits: ``[nodules]``, before the calibration.
        suspicious: Whether readers rated each nodule 4 or 5, ``[nodules]``.

    Returns:
        Slope and intercept, rounded to four decimals.
    """
    slope, intercept = fit_ridge_platt(logits, suspicious, ridge=RIDGE)
    return Calibration(slope=slope, intercept=intercept)


def _rating_logits(
    config: RaterTrainingConfig, manifest: Manifest, weights: bytes, nodules: Sequence[NoduleCrop]
) -> NDArray[np.float64]:
    """Uncalibrated logits for nodules as readers outlined them."""
    network = RateNet(**config.network)
    network.load_state_dict(load(weights))
    network.eval()

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            output: NDArray[np.float32] = network(torch.from_numpy(image)).numpy()
        return output

    logits = MalignancyRater(manifest, run).logits([as_outlined(nodule) for nodule in nodules])
    return np.array([np.nan if logit is None else logit for logit in logits])
