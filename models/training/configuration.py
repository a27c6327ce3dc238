"""What a training run is told: one YAML file, every number visible."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from preprocessing.errors import UsageError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimisation(_Strict):
    """AdamW with warm-up and cosine decay, gradient clipping and a moving average of weights."""

    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    weight_decay: float = 0.01
    warmup_steps: int = 100
    gradient_clip: float = 5.0
    ema_decay: float = 0.999
    loader_workers: int = 1
    threads: int = 2
    validate_every: int = 500
    validation_samples: int = 200
    checkpoint_every: int = 500


class IgnoredSphere(_Strict):
    """A place in a series that is neither a nodule to learn nor empty."""

    centre_world_mm: tuple[float, float, float]
    diameter_mm: float


class TrainingSeries(_Strict):
    """A real series whose lungs serve as background."""

    path: Path
    patient_id: str
    ignore: tuple[IgnoredSphere, ...] = ()


class Phantoms(_Strict):
    """Digital chests: seeds from `first`; `count` to train on, then `calibration` more."""

    first: int
    count: int
    calibration: int


class DataPlan(_Strict):
    """Where the training material lies, and who is kept out of it."""

    cache: Path
    series: tuple[TrainingSeries, ...] = ()
    phantoms: Phantoms
    nodule_crops: Path
    held_out_patients: tuple[str, ...] = ()
    split_modulus: int = 7
    test_buckets: tuple[int, ...] = (0,)
    validation_buckets: tuple[int, ...] = (1,)


class TrainingConfig(_Strict):
    """A whole recipe; its hash is kept in checkpoints and manifests."""

    task: Literal["detector", "classifier"]
    seed: int
    network: dict[str, Any]
    sampling: dict[str, Any]
    optimisation: Optimisation
    data: DataPlan

    def sha256(self) -> str:
        """Hash of every setting: two runs with the same one were asked for the same weights."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_training_config(path: Path) -> TrainingConfig:
    """Reads a recipe.

    Raises:
        UsageError: The file is missing, or a setting is wrong; the sentence names it.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TrainingConfig.model_validate(settings)
    except OSError as error:
        msg = f"the training configuration {path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except yaml.YAMLError as error:
        msg = f"{path} is not YAML: {error}"
        raise UsageError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        msg = f"{path}: {where}: {first['msg']}"
        raise UsageError(msg) from error
