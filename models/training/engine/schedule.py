"""The optimiser of a training, and its learning rate at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

    from hounsfield.models.training.engine.configuration import OptimisationConfig

MIN_COSINE = 0.01
"""Fraction of the learning rate at which a cosine schedule ends."""


def make_optimiser(network: nn.Module, optimisation: OptimisationConfig) -> torch.optim.Optimizer:
    """Makes the optimiser that the configuration names.

    Args:
        network: Its trainable weights are optimised.
        optimisation: Names the optimiser, its learning rate, momentum and weight decay.

    Returns:
        AdamW, or SGD with momentum.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if optimisation.optimiser == "adamw":
        return torch.optim.AdamW(
            weights, optimisation.learning_rate, weight_decay=optimisation.weight_decay
        )
    return torch.optim.SGD(
        weights,
        optimisation.learning_rate,
        momentum=optimisation.momentum,
        nesterov=optimisation.nesterov and optimisation.momentum > 0,
        weight_decay=optimisation.weight_decay,
    )


def learning_rate(optimisation: OptimisationConfig, done: int) -> float:
    """Returns the learning rate of the step that follows `done` steps.

    Args:
        optimisation: Peak learning rate, warm-up and schedule.
        done: Number of steps already done, from 0.
    """
    warm = min(1.0, (done + 1) / max(1, optimisation.warmup_steps))
    if optimisation.schedule == "cosine":
        decay = max(0.5 * (1 + math.cos(math.pi * done / optimisation.steps)), MIN_COSINE)
    else:
        decay = optimisation.decay_factor ** sum(step <= done for step in optimisation.decay_at)
    return optimisation.learning_rate * warm * decay


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Sets the same learning rate for every weight.

    Args:
        optimiser: Every parameter group of it is changed in place.
        rate: Learning rate of the next step.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
