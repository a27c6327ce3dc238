"""Checkpoints: a training that was killed resumes from the last one and ends in equal weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.models.training.engine.state import TrainingState

COUNTERS = ("done", "best_loss", "validations_since_best", "seconds")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The one file from which a training resumes.

    It holds no random states: samples depend on the seed and their index, dropout on the seed
    and the step.

    Attributes:
        path: Checkpoint file; each save replaces it.
        seed: Seed of the training.
        config_sha256: Hash of the training configuration; checkpoints of another are refused.
    """

    path: Path
    seed: int
    config_sha256: str

    def save(self, state: TrainingState) -> None:
        """Replaces the checkpoint atomically.

        Raises:
            OutputError: The file cannot be written; the previous checkpoint is kept.
        """
        content = {
            "seed": self.seed,
            "config_sha256": self.config_sha256,
            "network": state.network.state_dict(),
            "optimiser": state.optimiser.state_dict(),
            "average": state.average,
            "best": state.best,
            **{name: getattr(state, name) for name in COUNTERS},
        }
        # A Python file, not a path: torch would turn a full disk into an error of its own kind.
        with atomic_file(self.path) as temporary, temporary.open("wb") as file:
            torch.save(content, file)

    def resume(self, state: TrainingState) -> None:
        """Sets `state` to the checkpoint; leaves it as it is where there is no checkpoint.

        Raises:
            UsageError: The checkpoint belongs to another configuration or seed.
        """
        if not self.path.exists():
            return
        content = torch.load(self.path, map_location="cpu", weights_only=True)
        if (content["config_sha256"], content.get("seed")) != (self.config_sha256, self.seed):
            msg = (
                f"{self.path} was made with another training configuration: choose another --out, "
                "or delete it"
            )
            raise UsageError(msg)
        state.network.load_state_dict(content["network"])
        state.optimiser.load_state_dict(content["optimiser"])
        for kept, weights in ((state.average, "average"), (state.best, "best")):
            for name, value in content[weights].items():
                kept[name].copy_(value)
        for name in COUNTERS:
            setattr(state, name, content[name])
