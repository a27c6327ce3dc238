"""What a training run is told: one YAML file, every number visible."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hounsfield.data.prepared.held_out import HeldOutPatients, read_held_out
from hounsfield.preprocessing.errors import UsageError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimisation(_Strict):
    """How the loss is brought down, and how often what is told.

    Attributes:
        batch: Samples a step, over all processes together.
        momentum: Of `sgd`, which is Nesterov's where `nesterov` says so.
        schedule: After a linear rise over `warmup_steps`: `cosine` falls to a hundredth at the
            last step; `multi_step` multiplies by `decay_factor` at each step of `decay_at`, and
            is constant where there is none.
        gradient_clip: Longest gradient, over all weights together.
        ema_decay: Of the moving average of the weights, which is what a training gives.
        precision: Of the network's arithmetic; losses are float32 always. `auto` is bfloat16
            on a GPU, else float32; see `models.training.precision`.
        patience: The training ends when so many validations in a row brought no lower loss,
            and gives the weights of the best. Where it is null the training goes to the last
            step and gives the weights of that one.
        loader_workers: Processes that make samples ahead.
        threads: Of the arithmetic, in each process.
        log_every: Steps a row of ``log.csv`` and a line of progress.
    """

    steps: int = Field(gt=0)
    batch: int = Field(gt=0)
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = True
    schedule: Literal["cosine", "multi_step"] = "cosine"
    warmup_steps: int = Field(default=100, ge=0)
    decay_at: tuple[int, ...] = ()
    decay_factor: float = Field(default=0.1, gt=0, le=1)
    gradient_clip: float = Field(default=5.0, gt=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["float32", "bfloat16", "auto"] = "auto"
    patience: int | None = Field(default=None, gt=0)
    loader_workers: int = Field(default=1, ge=0)
    threads: int = Field(default=2, gt=0)
    log_every: int = Field(default=50, gt=0)
    validate_every: int = Field(default=500, gt=0)
    validation_samples: int = Field(default=200, gt=0)
    checkpoint_every: int = Field(default=500, gt=0)


class DataConfig(_Strict):
    """Where the training material lies, and who is kept out of it.

    Attributes:
        cases: Folders of whole series that `hounsfield prepare` made.
        nodules: Folders of single nodules with their outlines that it made.
        calibration: Folders of whole series that teach nothing: all of them calibrate a
            classifier. Without any, held-out samples of the recipe's own kinds do.
        fold: Is kept for testing; the one after it validates, all others train.
        held_out: Patients who are in no part: a file, or its name, as `hounsfield prepare
            --held-out` takes it; null for none.
    """

    cases: tuple[Path, ...] = ()
    nodules: tuple[Path, ...] = ()
    calibration: tuple[Path, ...] = ()
    fold: int = Field(default=0, ge=0)
    held_out: str | None = None

    @cached_property
    def held_out_patients(self) -> HeldOutPatients:
        """The patients of `held_out`; empty where it is null.

        Raises:
            UsageError: The file cannot be read.
        """
        return HeldOutPatients() if self.held_out is None else read_held_out(self.held_out)


class TrainingConfig(_Strict):
    """A whole recipe; its hash is kept in checkpoints and manifests.

    Attributes:
        task: What is trained.
        name: Of the model that is made.
        version: Of that model.
        start_from: A model of the same task and `network` whose weights the training begins
            with, by name or folder, ``{fold}`` in it standing for `data.fold`; null begins with
            chance.
    """

    task: Literal["detector", "retinanet", "reducer", "segmenter", "classifier", "rater"]
    name: str
    version: str = "0.1.0"
    start_from: str | None = None
    seed: int
    network: dict[str, Any]
    sampling: dict[str, Any]
    optimisation: Optimisation
    data: DataConfig

    @model_validator(mode="after")
    def _calibrates(self) -> TrainingConfig:
        if self.data.calibration and self.task != "classifier":
            msg = f"data.calibration: only a classifier has one, not a {self.task}"
            raise ValueError(msg)
        return self

    def sha256(self) -> str:
        """Hash of every setting: two runs with the same one were asked for the same weights."""
        # Left out where they say nothing: recipes that are older than they keep their hash.
        unsaid: dict[str, bool | set[str]] = {}
        if not self.start_from:
            unsaid["start_from"] = True
        if not self.data.calibration:
            unsaid["data"] = {"calibration"}
        return hashlib.sha256(self.model_dump_json(exclude=unsaid).encode()).hexdigest()

    def varied(self, *, fold: int | None = None, steps: int | None = None) -> TrainingConfig:
        """The recipe with another fold kept for testing, or another number of steps."""
        data, optimisation = self.data, self.optimisation
        if fold is not None:
            data = data.model_copy(update={"fold": fold})
        if steps is not None:
            optimisation = optimisation.model_copy(update={"steps": steps})
        return self.model_copy(update={"data": data, "optimisation": optimisation})


def read_training_config(
    path: Path, *, fold: int | None = None, steps: int | None = None
) -> TrainingConfig:
    """Reads a recipe.

    Args:
        path: The YAML file.
        fold: Is kept for testing, in place of the recipe's.
        steps: How many there are, in place of the recipe's.

    Raises:
        UsageError: The file is missing, or a setting is wrong; the sentence names it.
    """
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TrainingConfig.model_validate(settings).varied(fold=fold, steps=steps)
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
