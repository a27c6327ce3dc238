"""Validation: the loss of the averaged weights on held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.func import functional_call
from torch.utils.data import DataLoader, Subset

from hounsfield.models.training.engine.loss_average import LossAverage
from hounsfield.models.training.engine.precision import in_float32
from hounsfield.models.training.engine.process_group import to_device

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.training.engine.configuration import OptimisationConfig
    from hounsfield.models.training.engine.process_group import ProcessGroup
    from hounsfield.models.training.engine.state import TrainingState
    from hounsfield.models.training.engine.task import TrainingTask


def validate(
    task: TrainingTask,
    state: TrainingState,
    optimisation: OptimisationConfig,
    group: ProcessGroup,
    precision: torch.autocast,
) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
    """Averages the loss over the validation samples, which the process group shares.

    Args:
        task: Its first `validation_samples` held-out samples are used.
        state: Its averaged weights are validated.
        optimisation: Batch size and number of validation samples.
        group: Each of its processes must get one sample at least.
        precision: Context from `autocast` in which the network computes.

    Returns:
        The average of each part of the loss, and the pictures of the first batch.
    """
    indices = range(group.rank, optimisation.validation_samples, group.size)
    loader = DataLoader(
        Subset(task.validation, indices),
        batch_size=group.local_batch_size(optimisation.batch),
        collate_fn=task.collate,
    )
    average = LossAverage()
    pictures: list[NDArray[np.uint8]] = []
    for batch in loader:
        moved = to_device(batch, group.device)
        output = _predict_averaged(state, moved, precision)
        with torch.inference_mode():
            average.add(task.loss(output, moved), len(batch["image"]))
        if task.pictures is not None and group.is_main_process and not pictures:
            pictures = task.pictures(moved, output)
    return average.take(group), pictures


def first_pictures(
    task: TrainingTask,
    state: TrainingState,
    optimisation: OptimisationConfig,
    group: ProcessGroup,
    precision: torch.autocast,
) -> list[NDArray[np.uint8]]:
    """Pictures the first batch of the training before any step.

    Args:
        task: Its first training samples are shown.
        state: Initial state, whose averaged weights predict.
        optimisation: Batch size over all processes.
        group: Decides how many samples this process shows.
        precision: Context from `autocast` in which the network computes.

    Returns:
        The task's pictures; none where the task makes no pictures.
    """
    if task.pictures is None:
        return []
    first = Subset(task.samples, range(group.local_batch_size(optimisation.batch)))
    batch = next(iter(DataLoader(first, batch_size=len(first), collate_fn=task.collate)))
    moved = to_device(batch, group.device)
    return task.pictures(moved, _predict_averaged(state, moved, precision))


def _predict_averaged(
    state: TrainingState, batch: dict[str, Any], precision: torch.autocast
) -> object:
    """The output of the averaged weights in float32; the network keeps its own weights."""
    state.network.eval()
    with torch.inference_mode(), precision:
        output = functional_call(state.network, state.average, (batch["image"],))
    state.network.train()
    return in_float32(output)
