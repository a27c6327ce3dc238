"""Reads a training configuration: one YAML file, every number visible, checked for its task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.training.classifier.configuration import ClassifierTrainingConfig
from hounsfield.models.training.detector.configuration import DetectorTrainingConfig
from hounsfield.models.training.masses.configuration import MassTrainingConfig
from hounsfield.models.training.rater.configuration import RaterTrainingConfig
from hounsfield.models.training.reducer.configuration import ReducerTrainingConfig
from hounsfield.models.training.retinanet.configuration import RetinaTrainingConfig
from hounsfield.models.training.segmenter.configuration import SegmenterTrainingConfig
from hounsfield.preprocessing.documents import read_yaml, validated
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.models.training.engine.configuration import TrainingConfig

TASK_CONFIGS: dict[str, type[TrainingConfig]] = {
    "classifier": ClassifierTrainingConfig,
    "detector": DetectorTrainingConfig,
    "mass_detector": MassTrainingConfig,
    "rater": RaterTrainingConfig,
    "reducer": ReducerTrainingConfig,
    "retinanet": RetinaTrainingConfig,
    "segmenter": SegmenterTrainingConfig,
}
"""The model of a file by its `task`; ``configs/train_TASK.yaml`` shows every setting of each."""


def read_training_config(
    path: Path, *, fold: int | None = None, steps: int | None = None
) -> TrainingConfig:
    """Reads a training configuration.

    Args:
        path: YAML file, such as those in ``configs/train_*.yaml``.
        fold: Test fold that replaces the file's `data.fold`.
        steps: Number of steps that replaces the file's `optimisation.steps`.

    Returns:
        The configuration of the file's task.

    Raises:
        UsageError: The file is missing, or a setting is wrong; the sentence names it.
    """
    settings = read_yaml(path)
    task = settings.get("task")
    if not isinstance(task, str) or task not in TASK_CONFIGS:
        msg = f"{path}: task: must be one of {', '.join(TASK_CONFIGS)}, got {task!r}"
        raise UsageError(msg)
    remedy = f"configs/train_{task}.yaml shows every setting"
    config = validated(settings, TASK_CONFIGS[task], source=path, remedy=remedy)
    return config.varied(fold=fold, steps=steps)
