"""Where a training stands: all that must be kept for it to go on exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

EMA_EARLY = 10
"""The average forgets faster at first: after n steps no slower than (1 + n) / (10 + n)."""


@dataclass(slots=True)
class State:
    """A training after `done` steps.

    Attributes:
        average: Moving average of the network's weights, by name.
        best: The average at the lowest validation loss so far.
        best_loss: That loss.
        worse: Validations since then.
        seconds: Spent so far, over all sittings.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    done: int = 0
    best_loss: float = math.inf
    worse: int = 0
    seconds: float = 0.0
    average: dict[str, Tensor] = field(init=False)
    best: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        """The averages start at the weights themselves."""
        self.average = _copy(self.network.state_dict())
        self.best = _copy(self.average)

    def follow(self, decay: float) -> None:
        """Counts a step and moves the average a little towards the network; counters are copied."""
        decay = min(decay, (1 + self.done) / (EMA_EARLY + self.done))
        self.done += 1
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def judge(self, validation_loss: float) -> None:
        """Keeps the average where it is the best so far."""
        if validation_loss < self.best_loss:
            self.best_loss, self.worse, self.best = validation_loss, 0, _copy(self.average)
        else:
            self.worse += 1

    def ended(self, steps: int, patience: int | None) -> bool:
        """Whether nothing is left to do."""
        return self.done >= steps or (patience is not None and self.worse >= patience)


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in weights.items()}
