"""The classifier's training, and its manifest with a temperature fitted on held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import load
from scipy import optimize
from torch.utils.data import DataLoader, Subset

from models.manifest import Calibration, Manifest, TrainedWith, TrainingMaterial
from models.networks.class_net import class_net
from models.training.classification_samples import (
    BENIGN_TO,
    SUSPICIOUS_FROM,
    ClassificationSamples,
    ClassSamplingPlan,
)
from models.training.detector_task import (
    calibration_phantoms,
    crops_of,
    phantom_cases,
    real_cases,
)
from models.training.loop import Task
from models.training.losses import partial_label_loss

if TYPE_CHECKING:
    from models.training.configuration import TrainingConfig


def classifier_task(config: TrainingConfig) -> Task:
    """Prepares the material and builds the task."""
    samples = ClassificationSamples(
        [*real_cases(config.data), *phantom_cases(config.data)],
        crops_of(config.data, "training"),
        _plan(config),
        length=config.optimisation.steps * config.optimisation.batch,
        seed=config.seed,
    )
    return Task(class_net(**config.network), samples, _held_out(config), partial_label_loss)


def classifier_manifest(
    config: TrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Fits the temperature on samples of other patients and other phantoms."""
    network = class_net(**config.network)
    network.load_state_dict(load(weights))
    temperature, accuracy, nodules = _calibrate(config, network.eval())
    data = config.data
    crops = [
        crop
        for crop in crops_of(data, "training")
        if not BENIGN_TO < crop.record.malignancy < SUSPICIOUS_FROM
    ]
    real = tuple(case.series_uid for case in real_cases(data))
    low, high = config.sampling["hu_window"]
    return Manifest(
        name="nodule_classifier",
        version="0.1.0",
        task="classifier",
        summary="Four class probabilities for a nodule from a close and a wide view (MONAI "
        "ResNet). A demonstration: which carcinoma was learnt from digital nodules drawn after "
        "textbooks; histology from CT is not validated. On held-out samples of the same making "
        f"{accuracy:.2f} were given a class they may have ({nodules} samples).",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=1.0,
        hu_window=(low, high),
        calibration=Calibration(slope=round(1 / temperature, 4)),
        training_material=(
            TrainingMaterial(
                name="LIDC-IDRI nodule crops rated 1, 2, 4 or 5 for malignancy",
                licence="CC BY 3.0, Armato et al. 2011 and 2015, The Cancer Imaging Archive",
                role="rated 4 or 5: one of the three carcinomas, which one is not said; 1 or 2: "
                "normal. Radiologists' rating, not pathology.",
                series_uids=tuple(sorted({crop.record.series_uid for crop in crops})),
                patients=len({crop.record.patient_id for crop in crops}),
            ),
            TrainingMaterial(
                name=", ".join(series.patient_id for series in data.series),
                licence="CC BY 3.0 and 4.0, The Cancer Imaging Archive",
                role="lungs to put nodules into; what they hold themselves was left out",
                series_uids=real,
                patients=len(real),
            ),
            TrainingMaterial(
                name=f"phantoms {data.phantoms.first} to "
                f"{data.phantoms.first + data.phantoms.count - 1}, and digital nodules",
                licence="Apache-2.0",
                role="lungs; nodules of each class as textbooks describe them",
            ),
        ),
        trained_with=trained_with,
        limits=(
            "Histology from CT is not validated; these weights are a demonstration.",
            "Real nodules taught normal against cancer by radiologists' ratings, not pathology.",
            "An input unlike the training data is not yet recognised as such.",
        ),
    )


def _plan(config: TrainingConfig) -> ClassSamplingPlan:
    return ClassSamplingPlan(
        **{**config.sampling, "hu_window": tuple(config.sampling["hu_window"])}
    )


def _held_out(config: TrainingConfig) -> ClassificationSamples:
    """Samples of validation patients in phantoms that are not trained on, and in the real lungs."""
    return ClassificationSamples(
        [*real_cases(config.data), *calibration_phantoms(config.data)],
        crops_of(config.data, "validation"),
        _plan(config),
        length=4 * config.optimisation.validation_samples,
        seed=config.seed + 1,
    )


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
