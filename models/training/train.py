"""`hounsfield train CONFIG`: from a training configuration to a model folder."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from hounsfield.models.networks.onnx_graph import network_graph
from hounsfield.models.store.manifest import TrainedWith
from hounsfield.models.store.publishing import half_precision_weights, hardware, publish
from hounsfield.models.training.classifier.publication import classifier_manifest
from hounsfield.models.training.classifier.task import classifier_task
from hounsfield.models.training.configuration import read_training_config
from hounsfield.models.training.detector.publication import detector_manifest
from hounsfield.models.training.detector.task import detector_task
from hounsfield.models.training.engine.fine_tuning import (
    all_material,
    fine_tuned_from,
    load_initial_weights,
)
from hounsfield.models.training.engine.loop import train
from hounsfield.models.training.engine.material import raise_open_file_limit
from hounsfield.models.training.engine.process_group import join_process_group
from hounsfield.models.training.masses.publication import mass_manifest
from hounsfield.models.training.masses.task import mass_task
from hounsfield.models.training.rater.publication import rater_manifest
from hounsfield.models.training.rater.task import rater_task
from hounsfield.models.training.reducer.publication import reducer_manifest
from hounsfield.models.training.reducer.task import reducer_task
from hounsfield.models.training.retinanet.publication import retina_manifest
from hounsfield.models.training.retinanet.task import retina_task
from hounsfield.models.training.segmenter.publication import segmenter_manifest
from hounsfield.models.training.segmenter.task import segmenter_task
from hounsfield.preprocessing.errors import writing_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hounsfield.models.store.manifest import Manifest
    from hounsfield.models.training.engine.task import TrainingTask
    from hounsfield.models.training.reporting.progress import TrainingProgress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps before and after the training loop; each takes its task's configuration."""

    make_task: Callable[[Any], TrainingTask]
    make_manifest: Callable[[Any, TrainedWith, bytes], Manifest]


_TASKS = {
    "classifier": _Steps(classifier_task, classifier_manifest),
    "detector": _Steps(detector_task, detector_manifest),
    "mass_detector": _Steps(mass_task, mass_manifest),
    "rater": _Steps(rater_task, rater_manifest),
    "reducer": _Steps(reducer_task, reducer_manifest),
    "retinanet": _Steps(retina_task, retina_manifest),
    "segmenter": _Steps(segmenter_task, segmenter_manifest),
}


def run_training(
    config_path: Path,
    out: Path,
    *,
    fold: int | None = None,
    steps: int | None = None,
    progress: TrainingProgress | None = None,
) -> Manifest | None:
    """Train, calibrate on held-out data, and write the model's folder.

    Args:
        config_path: Training configuration, a YAML file.
        out: Folder of the checkpoint during training and of the model at the end
            (``weights.safetensors.gz``, ``manifest.json`` and the model card); `hounsfield run`
            accepts it as a model.
        fold: Test fold that replaces the file's `data.fold`.
        steps: Number of steps that replaces the file's `optimisation.steps`.
        progress: Shows progress on a terminal or in the log; None for the default.

    Returns:
        The model's manifest; None in a process that is not the main one of its group.

    Raises:
        UsageError: The configuration or its material cannot be used.
        OutputError: `out` cannot be written.
    """
    config = read_training_config(config_path, fold=fold, steps=steps)
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    raise_open_file_limit()
    task = _TASKS[config.task].make_task(config)
    start = load_initial_weights(config, task.network)
    with join_process_group() as group:
        trained = train(
            task,
            config.optimisation,
            seed=config.seed,
            config_sha256=config.sha256(),
            out=out,
            group=group,
            progress=progress,
        )
    if not group.is_main_process:
        return None
    trained_with = TrainedWith(
        config=_arguments(config_path, fold=fold, steps=steps),
        config_sha256=config.sha256(),
        seed=config.seed,
        steps=trained.steps,
        hours=round(trained.seconds / 3600, 2),
        hardware=hardware(),
        fine_tuned_from=fine_tuned_from(start),
    )
    weights = half_precision_weights(trained.network)
    log.info("calibrating on held-out data")
    manifest = _TASKS[config.task].make_manifest(config, trained_with, weights)
    material = all_material(manifest.training_material, start)
    manifest = manifest.model_copy(update={"training_material": material})
    graph = None if task.graph is None else network_graph(trained.network, task.graph)
    return publish(manifest, weights, out, graph=graph)


def _arguments(config_path: Path, *, fold: int | None, steps: int | None) -> str:
    """The arguments of `hounsfield train` that repeat this training."""
    options = {"--fold": fold, "--steps": steps}
    set_options = [f"{name} {value}" for name, value in options.items() if value is not None]
    return " ".join((config_path.as_posix(), *set_options))
