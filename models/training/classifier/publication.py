"""The manifest of a trained classifier: calibrated on held-out samples, its limits told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from scipy import optimize
from torch.utils.data import DataLoader

from hounsfield.models.inference.out_of_distribution import fit_training_distribution, view_features
from hounsfield.models.networks.class_net import ClassNet, class_logits
from hounsfield.models.store.manifest import Calibration, Manifest, TrainingDistribution
from hounsfield.models.training.classifier.class_sources import told_sources
from hounsfield.models.training.classifier.configuration import classification_plan
from hounsfield.models.training.classifier.task import (
    calibration_samples,
    held_out_samples,
    training_samples,
)
from hounsfield.models.training.detector.loss import partial_label_loss
from hounsfield.models.training.engine.material import training_material

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.classifier.samples import ClassificationSamples
    from hounsfield.models.training.engine.configuration import TrainingConfig

DISTRIBUTION_VIEWS = 1200
"""So many training views tell what is familiar; at most as many as were trained on."""

HELD_OUT_FACTOR = 4
"""So many times the recipe's validation samples calibrate, and set what is familiar."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the network says of samples, the classes they may have, and the views' statistics."""

    logits: torch.Tensor
    allowed: torch.Tensor
    features: NDArray[np.float64]


def classifier_manifest(
    config: TrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Calibrates on samples of other patients and other phantoms."""
    network = ClassNet(**config.network)
    network.load_state_dict(load(weights))
    length = HELD_OUT_FACTOR * config.optimisation.validation_samples
    seen = _look(held_out_samples(config, length=length), network.eval())
    apart = config.data.calibration
    asked = _look(calibration_samples(config, length=length), network) if apart else seen
    right = float(seen.allowed.gather(1, seen.logits.argmax(1, keepdim=True)).mean())
    return Manifest(
        name=config.name,
        version=config.version,
        task="classifier",
        summary="Four class probabilities for a nodule from a close and a wide view, and what "
        "speaks for each class, place by place (ClassNet, built of MONAI blocks). A "
        "demonstration: which carcinoma was learnt from digital nodules drawn after textbooks; "
        "histology from CT is not validated. On held-out samples of the same making "
        f"{right:.2f} were given a class they may have ({length} samples).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(1.0, 1.0, 1.0),
        hu_window=classification_plan(config).hu_window,
        calibration=fit_calibration(asked.logits, asked.allowed),
        training_material=training_material(config.data),
        trained_with=trained_with,
        training_distribution=_training_distribution(config, seen),
        limits=(
            "Histology from CT is not validated; these weights are a demonstration.",
            (
                "The probabilities are those of four classes that are as likely as one another; "
                "among what is found in people normal is far more common."
            ),
            (
                "Real nodules taught normal (rated 1 or 2) against cancer of an unsaid type "
                "(4 or 5) by radiologists' ratings, not pathology."
            ),
            (
                "What is called unlike the training data is read off plain statistics of the "
                "views; an input may be strange in other ways."
            ),
            *told_sources(config.data),
        ),
    )


def fit_calibration(logits: torch.Tensor, allowed: torch.Tensor) -> Calibration:
    """Temperature (Guo et al., 2017) and intercepts of the classes, as if all were as likely.

    How often the classes are shown in training is no one's prevalence; that all are as likely is
    a prior that a reader can bear in mind.

    Args:
        logits: (samples, 4).
        allowed: (samples, 4), 1 for each class that a sample may have.
    """
    shares = allowed / allowed.sum(1, keepdim=True)
    weight = shares @ (1 / shares.sum(0).clamp(min=1))
    batch = {"allowed": allowed, "weight": weight}

    def unlikelihood(told: NDArray[np.float64]) -> float:
        scaled = logits * float(np.exp(told[0])) + torch.tensor([*told[1:], 0.0])
        return float(partial_label_loss(scaled, batch)["loss"])

    best = optimize.minimize(unlikelihood, np.zeros(4), method="Powell", bounds=[(-3.0, 3.0)] * 4)
    a, b, c = np.round(best.x[1:], 4).tolist()
    slope = round(float(np.exp(best.x[0])), 4)
    return Calibration(slope=slope, class_intercepts=(a, b, c, 0.0))


def _look(samples: ClassificationSamples, network: torch.nn.Module) -> _Seen:
    logits, allowed, features = [], [], []
    with torch.inference_mode():
        for batch in DataLoader(samples, batch_size=16):
            logits.append(class_logits(network(batch["image"])))
            allowed.append(batch["allowed"])
            features.append(view_features(batch["image"].numpy()))
    return _Seen(torch.cat(logits), torch.cat(allowed), np.concatenate(features))


def _training_distribution(config: TrainingConfig, held_out: _Seen) -> TrainingDistribution:
    """What the views of the training look like."""
    trained_on = config.optimisation.steps * config.optimisation.batch
    training = training_samples(config, length=min(DISTRIBUTION_VIEWS, trained_on))
    views = (training[index]["image"].numpy()[None] for index in range(len(training)))
    return fit_training_distribution(
        np.concatenate([view_features(one) for one in views]), held_out.features
    )
