"""The optimiser of a recipe, and its learning rate at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

    from hounsfield.models.training.engine.configuration import Optimisation

LOWEST_COSINE = 0.01
"""The part of the learning rate that a cosine schedule ends with."""


def make_optimiser(network: nn.Module, plan: Optimisation) -> torch.optim.Optimizer:
    """The optimiser that the recipe names, over every weight that is learnt."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    if plan.optimiser == "adamw":
        return torch.optim.AdamW(weights, plan.learning_rate, weight_decay=plan.weight_decay)
    return torch.optim.SGD(
        weights,
        plan.learning_rate,
        momentum=plan.momentum,
        nesterov=plan.nesterov and plan.momentum > 0,
        weight_decay=plan.weight_decay,
    )


def learning_rate(plan: Optimisation, done: int) -> float:
    """The learning rate of the step that follows `done` steps."""
    warm = min(1.0, (done + 1) / max(1, plan.warmup_steps))
    if plan.schedule == "cosine":
        decay = max(0.5 * (1 + math.cos(math.pi * done / plan.steps)), LOWEST_COSINE)
    else:
        decay = plan.decay_factor ** sum(step <= done for step in plan.decay_at)
    return plan.learning_rate * warm * decay


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Gives every weight the same learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
