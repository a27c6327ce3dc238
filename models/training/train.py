"""`hounsfield train CONFIG`: from a recipe to an entry of the weight store."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from hounsfield.models.networks.onnx_graph import network_graph
from hounsfield.models.store.manifest import TrainedWith
from hounsfield.models.store.publishing import half_precision_weights, hardware, publish
from hounsfield.models.training.classifier.publication import classifier_manifest
from hounsfield.models.training.classifier.task import classifier_task
from hounsfield.models.training.detector.publication import detector_manifest
from hounsfield.models.training.detector.task import detector_task
from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.models.training.engine.fine_tuning import all_material, begin_with, fine_tuned_from
from hounsfield.models.training.engine.loop import train
from hounsfield.models.training.engine.material import allow_many_files
from hounsfield.models.training.engine.process_group import join_process_group
from hounsfield.models.training.rater.task import rater_manifest, rater_task
from hounsfield.models.training.reducer.publication import reducer_manifest
from hounsfield.models.training.reducer.task import reducer_task
from hounsfield.models.training.retinanet.task import retina_manifest, retina_task
from hounsfield.models.training.segmenter.task import segmenter_manifest, segmenter_task
from hounsfield.preprocessing.errors import writing_to

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.models.store.manifest import Manifest
    from hounsfield.models.training.reporting.progress import TrainingProgress

log = logging.getLogger(__name__)

TASKS = {
    "detector": detector_task,
    "retinanet": retina_task,
    "reducer": reducer_task,
    "segmenter": segmenter_task,
    "classifier": classifier_task,
    "rater": rater_task,
}
MANIFESTS = {
    "detector": detector_manifest,
    "retinanet": retina_manifest,
    "reducer": reducer_manifest,
    "segmenter": segmenter_manifest,
    "classifier": classifier_manifest,
    "rater": rater_manifest,
}


def run_training(
    config_path: Path,
    out: Path,
    *,
    fold: int | None = None,
    steps: int | None = None,
    progress: TrainingProgress | None = None,
) -> Manifest | None:
    """Trains, calibrates on held-out data, and writes the model's folder.

    Args:
        config_path: The recipe.
        out: Holds the checkpoint while training and, at the end, ``weights.safetensors.gz``,
            ``manifest.json`` and the card; `hounsfield run` takes such a folder as a model.
        fold: Is kept for testing, in place of the recipe's.
        steps: How many there are, in place of the recipe's.
        progress: Where it is told how far the training is.

    Returns:
        The model's manifest; None in a process of a team that another one is_main_process.

    Raises:
        UsageError: The recipe or its material cannot be used.
        OutputError: `out` cannot be written.
    """
    config = read_training_config(config_path, fold=fold, steps=steps)
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    allow_many_files()
    task = TASKS[config.task](config)
    start = begin_with(config, task.network)
    with join_process_group() as team:
        trained = train(
            task,
            config.optimisation,
            seed=config.seed,
            config_sha256=config.sha256(),
            out=out,
            team=team,
            progress=progress,
        )
    if not team.is_main_process:
        return None
    trained_with = TrainedWith(
        config=_words(config_path, fold=fold, steps=steps),
        config_sha256=config.sha256(),
        seed=config.seed,
        steps=trained.steps,
        hours=round(trained.seconds / 3600, 2),
        hardware=hardware(),
        fine_tuned_from=fine_tuned_from(start),
    )
    weights = half_precision_weights(trained.network)
    log.info("calibrating on held-out data")
    manifest = MANIFESTS[config.task](config, trained_with, weights)
    material = all_material(manifest.training_material, start)
    manifest = manifest.model_copy(update={"training_material": material})
    graph = None if task.graph is None else network_graph(trained.network, task.graph)
    return publish(manifest, weights, out, graph=graph)


def _words(config_path: Path, *, fold: int | None, steps: int | None) -> str:
    """What follows `hounsfield train` to ask for the same once more."""
    options = {"--fold": fold, "--steps": steps}
    given = [f"{name} {value}" for name, value in options.items() if value is not None]
    return " ".join((config_path.as_posix(), *given))
