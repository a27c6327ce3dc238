"""Settings that every training shares; each task adds its own `sampling`."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hounsfield.data.prepared.held_out import HeldOutPatients, read_held_out
from hounsfield.preprocessing.documents import Strict

Probability = Annotated[float, Field(ge=0, le=1)]

DEFAULT_HU_WINDOW = (-1000.0, 400.0)


class SamplingConfig(Strict):
    """How the samples of a task are made; each task has a subclass of its own."""


class OptimisationConfig(Strict):
    """How the loss is minimised, and how often results are logged and saved.

    Attributes:
        batch: Samples per step, over all processes together.
        momentum: Momentum of `sgd`, in Nesterov's form where `nesterov` is set.
        schedule: After a linear rise over `warmup_steps`, `cosine` falls to a hundredth at the
            last step; `multi_step` multiplies by `decay_factor` at each step of `decay_at`, and
            stays constant where that is empty.
        gradient_clip: Largest norm of the gradient over all weights together.
        ema_decay: Decay per step of the moving average of the weights; the average is the result.
        precision: Arithmetic of the network; losses are always float32. `auto` is bfloat16 on a
            GPU and float32 on a CPU; see `engine.precision`.
        patience: Training stops after this many validations in a row without a lower loss, and
            returns the weights of the best one. With null it runs to the last step and returns
            the weights of that step.
        loader_workers: Processes that prepare samples ahead of time.
        threads: CPU threads of each process.
        log_every: Steps between two rows of ``log.csv`` and two lines of progress.
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


class DataConfig(Strict):
    """Prepared folders to train on, and the patients and folds that are held out.

    Attributes:
        cases: Folders of whole series, as `hounsfield prepare` writes them.
        nodules: Folders of single nodules with their outlines, as `hounsfield prepare` writes them.
        calibration: Folders of whole series that only calibrate a classifier and are never trained
            on. Without any, held-out samples of the same kinds as in training calibrate it.
        fold: Test fold; the next one validates, all others train.
        held_out: File of patients to leave out of training, validation and testing, or its name,
            as for `hounsfield prepare --held-out`; null for none.
    """

    cases: tuple[Path, ...] = ()
    nodules: tuple[Path, ...] = ()
    calibration: tuple[Path, ...] = ()
    fold: int = Field(default=0, ge=0)
    held_out: str | None = None

    @cached_property
    def held_out_patients(self) -> HeldOutPatients:
        """The patients of `held_out`; none where it is null.

        Raises:
            UsageError: The file cannot be read.
        """
        return HeldOutPatients() if self.held_out is None else read_held_out(self.held_out)


class TrainingConfig(Strict):
    """A whole training configuration; checkpoints and manifests keep its hash.

    Each task has a subclass that narrows `task` and `sampling`.

    Attributes:
        task: What kind of model is trained.
        name: Name of the model that is made.
        version: Version of that model.
        start_from: Model to fine-tune, by name or folder, of the same task and `network`;
            ``{fold}`` in it stands for `data.fold`. With null, training starts from random
            initialisation.
        seed: Seed of the samples, the initialisation and the dropout.
        network: Arguments of the network's constructor; the manifest keeps them.
        sampling: How samples are made from the material; each task has its own settings.
    """

    task: str
    name: str
    version: str = "0.1.0"
    start_from: str | None = None
    seed: int
    network: dict[str, Any]
    sampling: SamplingConfig
    optimisation: OptimisationConfig
    data: DataConfig

    @model_validator(mode="after")
    def _only_a_classifier_calibrates(self) -> Self:
        if self.data.calibration and self.task != "classifier":
            msg = f"data.calibration: only a classifier takes it, not a {self.task}"
            raise ValueError(msg)
        return self

    def sha256(self) -> str:
        """Returns the hash of every setting: equal hashes ask for equal weights."""
        # Settings that are not used are left out, so that adding one changes no other hash.
        unused: dict[str, bool | set[str]] = {}
        if not self.start_from:
            unused["start_from"] = True
        if not self.data.calibration:
            unused["data"] = {"calibration"}
        return hashlib.sha256(self.model_dump_json(exclude=unused).encode()).hexdigest()

    def varied(self, *, fold: int | None = None, steps: int | None = None) -> Self:
        """Returns this configuration with another test fold or number of steps.

        Args:
            fold: Test fold that replaces `data.fold`; None keeps it.
            steps: Number of steps that replaces `optimisation.steps`; None keeps it.
        """
        data, optimisation = self.data, self.optimisation
        if fold is not None:
            data = data.model_copy(update={"fold": fold})
        if steps is not None:
            optimisation = optimisation.model_copy(update={"steps": steps})
        return self.model_copy(update={"data": data, "optimisation": optimisation})
