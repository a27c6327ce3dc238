"""State of a training: everything a checkpoint must keep to resume exactly.

The moving average of the weights is own code. `torch.optim.swa_utils.AveragedModel` copies the
weights at its first update, where this average starts from the initial weights; it averages all
buffers or none, where this one averages floating-point buffers and copies counters; and its decay
is constant, where this one starts faster. With it, the published configurations would give other
weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

EMA_WARMUP = 10
"""The average forgets faster at first: after n steps its decay is at most (1 + n) / (10 + n)."""


@dataclass(slots=True)
class TrainingState:
    """A training after `done` steps.

    Attributes:
        network: Network as the optimiser left it.
        optimiser: Optimiser with its moments.
        done: Steps done, in total across resumed runs.
        average: Exponential moving average of the network's weights, by name.
        best: The average at the lowest validation loss so far.
        best_loss: That validation loss.
        validations_since_best: Validations since then, none of them lower.
        seconds: Time spent training, in total across resumed runs.
    """

    network: nn.Module
    optimiser: torch.optim.Optimizer
    done: int = 0
    best_loss: float = math.inf
    validations_since_best: int = 0
    seconds: float = 0.0
    average: dict[str, Tensor] = field(init=False)
    best: dict[str, Tensor] = field(init=False)

    def __post_init__(self) -> None:
        """Starts both averages at the network's weights."""
        self.average = _copy(self.network.state_dict())
        self.best = _copy(self.average)

    def finish_step(self, decay: float) -> None:
        """Counts a step and moves the average towards the network; integer buffers are copied.

        Args:
            decay: Weight of the old average, 0 to 1; smaller in the first steps.
        """
        decay = min(decay, (1 + self.done) / (EMA_WARMUP + self.done))
        self.done += 1
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def record_validation(self, loss: float) -> None:
        """Keeps the average as the best one where its validation loss is the lowest so far."""
        if loss < self.best_loss:
            self.best_loss, self.validations_since_best = loss, 0
            self.best = _copy(self.average)
        else:
            self.validations_since_best += 1

    def is_finished(self, steps: int, patience: int | None) -> bool:
        """Whether the last step was done, or patience has run out.

        Args:
            steps: Steps that the configuration asks for.
            patience: Validations in a row without a lower loss that end a training; None: no limit.
        """
        return self.done >= steps or (
            patience is not None and self.validations_since_best >= patience
        )


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in weights.items()}
