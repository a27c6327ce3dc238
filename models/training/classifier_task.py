"""The classifier's training, and its manifest with a temperature fitted on held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from scipy import optimize
from torch.utils.data import DataLoader, Subset

from models.familiarity import fit_familiarity, view_features
from models.manifest import Calibration, Familiarity, Manifest, TrainedWith
from models.networks.class_net import class_net
from models.nodule_views import VIEW_SPACINGS_MM, VIEW_VOXELS
from models.training.classification_samples import (
    ClassificationSamples,
    ClassSamplingPlan,
)
from models.training.detector_task import held_out_cases
from models.training.graph import GraphPlan
from models.training.loop import Task
from models.training.losses import partial_label_loss
from models.training.material import read_cases, read_nodules, training_material

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.training.configuration import TrainingConfig


FAMILIAR_VIEWS = 2000
"""So many training views tell what is familiar."""


def classifier_task(config: TrainingConfig) -> Task:
    """Prepares the material and builds the task."""
    samples = ClassificationSamples(
        read_cases(config.data, "training"),
        read_nodules(config.data, "training"),
        _plan(config),
        length=config.optimisation.steps * config.optimisation.batch,
        seed=config.seed,
    )
    views = (len(VIEW_SPACINGS_MM), VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)
    network = class_net(**config.network)
    held_out = _held_out(config)
    return Task(network, samples, held_out, partial_label_loss, graph=GraphPlan(views))


def classifier_manifest(
    config: TrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Fits the temperature on samples of other patients and other phantoms."""
    network = class_net(**config.network)
    network.load_state_dict(load(weights))
    temperature, accuracy, nodules = _calibrate(config, network.eval())
    low, high = config.sampling["hu_window"]
    return Manifest(
        name=config.name,
        version=config.version,
        task="classifier",
        summary="Four class probabilities for a nodule from a close and a wide view (MONAI "
        "ResNet). A demonstration: which carcinoma was learnt from digital nodules drawn after "
        "textbooks; histology from CT is not validated. On held-out samples of the same making "
        f"{accuracy:.2f} were given a class they may have ({nodules} samples).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(1.0, 1.0, 1.0),
        hu_window=(low, high),
        calibration=Calibration(slope=round(1 / temperature, 4)),
        training_material=training_material(config.data),
        trained_with=trained_with,
        familiarity=_familiarity(config),
        limits=(
            "Histology from CT is not validated; these weights are a demonstration.",
            (
                "Real nodules taught normal (rated 1 or 2) against cancer of an unsaid type "
                "(4 or 5) by radiologists' ratings, not pathology."
            ),
            (
                "What is called unlike the training data is read off plain statistics of the "
                "views; an input may be strange in other ways."
            ),
        ),
    )


def _plan(config: TrainingConfig) -> ClassSamplingPlan:
    return ClassSamplingPlan(
        **{**config.sampling, "hu_window": tuple(config.sampling["hu_window"])}
    )


def _held_out(config: TrainingConfig) -> ClassificationSamples:
    """Samples of validation patients in phantoms that are not trained on, and in the real lungs."""
    return ClassificationSamples(
        held_out_cases(config.data),
        read_nodules(config.data, "validation"),
        _plan(config),
        length=4 * config.optimisation.validation_samples,
        seed=config.seed + 1,
    )


def _familiarity(config: TrainingConfig) -> Familiarity:
    """What the views of the training look like."""
    training = ClassificationSamples(
        read_cases(config.data, "training"),
        read_nodules(config.data, "training"),
        _plan(config),
        length=FAMILIAR_VIEWS,
        seed=config.seed,
    )

    def features(samples: ClassificationSamples) -> NDArray[np.float64]:
        views = [samples[index]["image"].numpy() for index in range(len(samples))]
        return view_features(np.stack(views))

    return fit_familiarity(features(training), features(_held_out(config)))


def _calibrate(config: TrainingConfig, network: torch.nn.Module) -> tuple[float, float, int]:
    """Temperature (Guo et al., 2017), share of allowed answers, number of samples."""
    held_out = _held_out(config)
    logits, allowed = [], []
    with torch.inference_mode():
        for batch in DataLoader(Subset(held_out, range(len(held_out))), batch_size=16):
            logits.append(network(batch["image"]))
            allowed.append(batch["allowed"])
    given, may = torch.cat(logits), torch.cat(allowed)
    ones = torch.ones(len(given))

    def unlikelihood(log_temperature: float) -> float:
        scaled = given / float(torch.tensor(log_temperature).exp())
        return float(partial_label_loss(scaled, {"allowed": may, "weight": ones})["loss"])

    best = optimize.minimize_scalar(unlikelihood, bounds=(-2.0, 3.0), method="bounded")
    right = may.gather(1, given.argmax(1, keepdim=True)).mean()
    return float(torch.tensor(best.x).exp()), float(right), len(given)
