"""Checkpoints: a training that was killed goes on from the last one as if nothing had been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.models.training.engine.state import State

COUNTERS = ("done", "best_loss", "worse", "seconds")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The one file a training goes on from.

    There are no random states in it: the samples depend on the seed and their index, the
    chance inside the network on the seed and the step.

    Attributes:
        seed: Of the training.
        config_sha256: Hash of its recipe; a checkpoint of another is refused.
    """

    path: Path
    seed: int
    config_sha256: str

    def save(self, state: State) -> None:
        """Writes it whole or not at all.

        Raises:
            OutputError: It cannot be written; the one before is still there.
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

    def resume(self, state: State) -> None:
        """Brings `state` to where the checkpoint was written; leaves it where there is none.

        Raises:
            UsageError: The checkpoint belongs to another recipe or seed.
        """
        if not self.path.exists():
            return
        content = torch.load(self.path, map_location="cpu", weights_only=True)
        if (content["config_sha256"], content.get("seed")) != (self.config_sha256, self.seed):
            msg = f"{self.path} was made by another configuration: give another --out, or delete it"
            raise UsageError(msg)
        state.network.load_state_dict(content["network"])
        state.optimiser.load_state_dict(content["optimiser"])
        for kept, weights in ((state.average, "average"), (state.best, "best")):
            for name, value in content[weights].items():
                kept[name].copy_(value)
        for name in COUNTERS:
            setattr(state, name, content[name])
