"""Reads a training configuration: one YAML file, every number visible, checked for its task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from hounsfield.models.training.classifier.configuration import ClassifierTrainingConfig
from hounsfield.models.training.detector.configuration import DetectorTrainingConfig
from hounsfield.models.training.engine.configuration import TrainingConfig
from hounsfield.models.training.rater.configuration import RaterTrainingConfig
from hounsfield.models.training.reducer.configuration import ReducerTrainingConfig
from hounsfield.models.training.retinanet.configuration import RetinaTrainingConfig
from hounsfield.models.training.segmenter.configuration import SegmenterTrainingConfig
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

AnyTrainingConfig = Annotated[
    ClassifierTrainingConfig
    | DetectorTrainingConfig
    | RaterTrainingConfig
    | ReducerTrainingConfig
    | RetinaTrainingConfig
    | SegmenterTrainingConfig,
    Field(discriminator="task"),
]
"""The configuration of one of the tasks; its `task` says of which."""

_TASK_CONFIGS: dict[str, type[BaseModel]] = {
    "classifier": ClassifierTrainingConfig,
    "detector": DetectorTrainingConfig,
    "rater": RaterTrainingConfig,
    "reducer": ReducerTrainingConfig,
    "retinanet": RetinaTrainingConfig,
    "segmenter": SegmenterTrainingConfig,
}


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
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        config = TypeAdapter[TrainingConfig](AnyTrainingConfig).validate_python(settings)
    except OSError as error:
        msg = f"the training configuration {path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path} is not YAML: {error}"
        raise UsageError(msg) from error
    except ValidationError as error:
        msg = f"{path}: {_sentence(error.errors()[0])}"
        raise UsageError(msg) from error
    return config.varied(fold=fold, steps=steps)


def _sentence(error: ErrorDetails) -> str:
    """The setting and what is wrong with it."""
    if error["type"].startswith("union_tag"):
        return f"task: must be one of {', '.join(_TASK_CONFIGS)}"
    task, *keys = error["loc"] or ("",)  # the first part of the place is the union's tag
    place = ".".join(map(str, keys))
    if error["type"] == "extra_forbidden":
        return f"{place}: there is no such setting; known here: {_known_settings(str(task), keys)}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _known_settings(task: str, keys: list[int | str]) -> str:
    """The settings that a section of a task's configuration takes."""
    section = _TASK_CONFIGS[task]
    for key in keys[:-1]:
        annotation = section.model_fields[str(key)].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        section = annotation
    return ", ".join(section.model_fields)
