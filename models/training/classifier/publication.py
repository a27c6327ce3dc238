"""Manifest of a trained classifier: calibrated on held-out samples, with its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from torch.utils.data import DataLoader

from hounsfield.models.inference.out_of_distribution import fit_training_distribution, view_features
from hounsfield.models.networks.class_net import ClassNet, class_logits
from hounsfield.models.store.manifest import Calibration, Manifest, TrainingDistribution
from hounsfield.models.training.classifier.class_sources import describe_class_sources
from hounsfield.models.training.classifier.loss import partial_label_loss
from hounsfield.models.training.classifier.task import (
    calibration_samples,
    held_out_samples,
    training_samples,
)
from hounsfield.models.training.engine.calibration_fit import fit_vector_scaling
from hounsfield.models.training.engine.material import training_material

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.classifier.configuration import ClassifierTrainingConfig
    from hounsfield.models.training.classifier.samples import ClassificationSamples

DISTRIBUTION_VIEWS = 1200
"""Training views from which the statistics for out-of-distribution inputs are taken, at most."""

HELD_OUT_FACTOR = 4
"""Held-out samples for calibration, as a multiple of the validation samples."""


@dataclass(frozen=True, slots=True, eq=False)
class _Predictions:
    """Logits of the network for samples, the classes they may have, and their views' statistics."""

    logits: torch.Tensor
    allowed: torch.Tensor
    features: NDArray[np.float64]


def classifier_manifest(
    config: ClassifierTrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates on samples of other patients and other phantoms.

    Args:
        config: Training configuration of the weights.
        trained_with: Record of the training, for the manifest.
        weights: Content of a safetensors file.

    Returns:
        The manifest, without the hash of the weights.

    Raises:
        UsageError: The held-out data cannot be read or cannot be used.
    """
    network = ClassNet(**config.network)
    network.load_state_dict(load(weights))
    length = HELD_OUT_FACTOR * config.optimisation.validation_samples
    held_out = _predict(held_out_samples(config, length=length), network.eval())
    calibrating = held_out
    if config.data.calibration:
        calibrating = _predict(calibration_samples(config, length=length), network)
    predicted = held_out.logits.argmax(1, keepdim=True)
    accuracy = float(held_out.allowed.gather(1, predicted).mean())
    return Manifest(
        name=config.name,
        version=config.version,
        task="classifier",
        summary="Four class probabilities for a nodule from a close and a wide view, with a class "
        "activation map (ClassNet, built of MONAI blocks). A demonstration: the carcinoma types "
        "were learnt from synthetic nodules modelled on textbooks; histology from CT is not "
        f"validated. On held-out samples of the same kinds {accuracy:.2f} were given a class they "
        f"may have ({length} samples).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(1.0, 1.0, 1.0),
        hu_window=config.sampling.hu_window,
        calibration=fit_calibration(calibrating.logits, calibrating.allowed),
        training_material=training_material(config.data),
        trained_with=trained_with,
        training_distribution=_training_distribution(config, held_out),
        limits=(
            "Histology from CT is not validated; these weights are a demonstration.",
            (
                "Probabilities assume that the four classes are equally likely; among findings in "
                "patients, normal is far more common."
            ),
            (
                "Real nodules taught normal (rated 1 or 2) against cancer of unknown type "
                "(rated 4 or 5) by radiologists' ratings, not pathology."
            ),
            (
                "Out-of-distribution inputs are recognised by plain statistics of the views; an "
                "input may be unusual in other ways."
            ),
            *describe_class_sources(config.data),
        ),
    )


def fit_calibration(logits: torch.Tensor, allowed: torch.Tensor) -> Calibration:
    """Fits a temperature and class intercepts for equally likely classes.

    How often training shows each class is the prevalence in no population; equal prior
    probabilities are a convention that a reader can keep in mind.

    Args:
        logits: (samples, 4), before the calibration.
        allowed: (samples, 4), 1 for each class that a sample may have.

    Returns:
        Slope and class intercepts; that of the last class is 0.
    """
    fractions = allowed / allowed.sum(1, keepdim=True)
    weight = fractions @ (1 / fractions.sum(0).clamp(min=1))
    batch = {"allowed": allowed, "weight": weight}
    slope, (first, second, third, last) = fit_vector_scaling(
        logits, lambda scaled: float(partial_label_loss(scaled, batch)["loss"])
    )
    return Calibration(slope=slope, class_intercepts=(first, second, third, last))


def _predict(samples: ClassificationSamples, network: torch.nn.Module) -> _Predictions:
    logits, allowed, features = [], [], []
    with torch.inference_mode():
        for batch in DataLoader(samples, batch_size=16):
            logits.append(class_logits(network(batch["image"])))
            allowed.append(batch["allowed"])
            features.append(view_features(batch["image"].numpy()))
    return _Predictions(torch.cat(logits), torch.cat(allowed), np.concatenate(features))


def _training_distribution(
    config: ClassifierTrainingConfig, held_out: _Predictions
) -> TrainingDistribution:
    """Statistics of the training views, by which out-of-distribution inputs are recognised."""
    trained_on = config.optimisation.steps * config.optimisation.batch
    training = training_samples(config, length=min(DISTRIBUTION_VIEWS, trained_on))
    images = (training[index]["image"].numpy()[None] for index in range(len(training)))
    features = np.concatenate([view_features(image) for image in images])
    return fit_training_distribution(features, held_out.features)
