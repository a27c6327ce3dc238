"""`hounsfield train CONFIG`: from a recipe to an entry of the weight store."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import torch

from models.manifest import TrainedWith
from models.training.classifier_task import classifier_manifest, classifier_task
from models.training.configuration import read_training_config
from models.training.detector_publication import detector_manifest
from models.training.detector_task import detector_task
from models.training.loop import train
from models.training.publishing import half_precision_weights, hardware, publish

if TYPE_CHECKING:
    from pathlib import Path

    from models.manifest import Manifest

log = logging.getLogger(__name__)

TASKS = {"detector": detector_task, "classifier": classifier_task}
MANIFESTS = {"detector": detector_manifest, "classifier": classifier_manifest}


def run_training(config_path: Path, out: Path) -> Manifest:
    """Trains, calibrates on held-out data, and writes the model's folder.

    Args:
        config_path: The recipe.
        out: Holds the checkpoint while training and, at the end, ``weights.safetensors.gz``,
            ``manifest.json`` and the card; `hounsfield run` takes such a folder as a model.

    Raises:
        UsageError: The recipe or its material cannot be used.
    """
    config = read_training_config(config_path)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    task = TASKS[config.task](config)
    started = time.monotonic()
    network = train(
        task, config.optimisation, seed=config.seed, config_sha256=config.sha256(), out=out
    )
    trained_with = TrainedWith(
        config=config_path.as_posix(),
        config_sha256=config.sha256(),
        seed=config.seed,
        steps=config.optimisation.steps,
        hours=round((time.monotonic() - started) / 3600, 2),
        hardware=hardware(),
    )
    weights = half_precision_weights(network)
    log.info("calibrating on held-out data")
    manifest = MANIFESTS[config.task](config, trained_with, weights)
    return publish(manifest, weights, out)
