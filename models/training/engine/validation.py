"""How good the averaged weights are on held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from torch.utils.data import DataLoader, Subset

from hounsfield.models.training.engine.loss_average import LossMeans
from hounsfield.models.training.engine.precision import in_float32
from hounsfield.models.training.engine.process_group import to_device

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.training.engine.configuration import Optimisation
    from hounsfield.models.training.engine.loop import Task
    from hounsfield.models.training.engine.process_group import ProcessGroup
    from hounsfield.models.training.engine.state import State


def validate(
    task: Task, state: State, plan: Optimisation, team: ProcessGroup, casts: torch.autocast
) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
    """The mean of each part of the loss, and the task's pictures of the first batch.

    The team deals the samples out; each process must get one at least.
    """
    share = Subset(task.validation, range(team.rank, plan.validation_samples, team.size))
    loader = DataLoader(share, batch_size=team.share_of(plan.batch), collate_fn=task.collate)
    means = LossMeans()
    pictures: list[NDArray[np.uint8]] = []
    for batch in loader:
        moved = to_device(batch, team.device)
        output = answer(state, moved, casts)
        with torch.inference_mode():
            means.add(task.loss(output, moved), len(batch["image"]))
        if task.pictures is not None and team.is_main_process and not pictures:
            pictures = task.pictures(moved, output)
    return means.over(team), pictures


def first_pictures(
    task: Task, state: State, plan: Optimisation, team: ProcessGroup, casts: torch.autocast
) -> list[NDArray[np.uint8]]:
    """The task's pictures of the first batch of the training, before any step."""
    if task.pictures is None:
        return []
    share = Subset(task.samples, range(team.share_of(plan.batch)))
    batch = next(iter(DataLoader(share, batch_size=len(share), collate_fn=task.collate)))
    moved = to_device(batch, team.device)
    return task.pictures(moved, answer(state, moved, casts))


def answer(state: State, batch: dict[str, Any], casts: torch.autocast) -> object:
    """What the network says with the averaged weights, in float32; its own stay in it."""
    state.network.eval()
    with torch.inference_mode(), casts:
        output = functional_call(state.network, state.average, (batch["image"],))
    state.network.train()
    return in_float32(output)
