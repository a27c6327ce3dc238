"""The training loop of every task.

It is own code rather than a framework's because a training that was killed and resumed must end
in the same weights, to the bit, as one that was not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.utils import convert_conv3d_weight_memory_format
from torch.utils.data import DataLoader

from hounsfield.models.training.engine.checkpoints import Checkpoint
from hounsfield.models.training.engine.loss_average import LossAverage
from hounsfield.models.training.engine.precision import autocast, in_float32
from hounsfield.models.training.engine.process_group import single_process, to_device
from hounsfield.models.training.engine.schedule import (
    learning_rate,
    make_optimiser,
    set_learning_rate,
)
from hounsfield.models.training.engine.state import TrainingState
from hounsfield.models.training.engine.validation import first_pictures, validate
from hounsfield.models.training.reporting.curves import VALIDATION
from hounsfield.models.training.reporting.logger import open_training_log

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from hounsfield.models.training.engine.configuration import OptimisationConfig
    from hounsfield.models.training.engine.process_group import ProcessGroup
    from hounsfield.models.training.engine.task import TrainingTask
    from hounsfield.models.training.reporting.progress import TrainingProgress


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """The result of a training.

    Attributes:
        network: Network in evaluation mode, with the moving average of its weights.
        steps: Number of steps done.
        seconds: Time spent on them, in total across resumed runs.
    """

    network: nn.Module
    steps: int
    seconds: float


def train(
    task: TrainingTask,
    optimisation: OptimisationConfig,
    *,
    seed: int,
    config_sha256: str,
    out: Path,
    group: ProcessGroup | None = None,
    progress: TrainingProgress | None = None,
) -> TrainedNetwork:
    """Trains to the last step, resuming from ``checkpoint.pt`` in `out` where there is one.

    A run that was killed and resumed ends in the same weights as one that was not, on the same
    CPU with the same number of threads. A process group sees the same batches as one process.

    Args:
        task: Network, samples and loss.
        optimisation: Steps, batch size, optimiser and intervals.
        seed: Seed of the dropout inside the network.
        config_sha256: Hash of the training configuration, kept in the checkpoint.
        out: Folder for the checkpoint, ``log.csv``, ``curves`` and ``samples``; where the processes
            run on several machines, each must see it.
        group: The processes that train together; None for this one alone.
        progress: Shows progress on a terminal or in the log; None for the default.

    Returns:
        The trained network and what it took.

    Raises:
        UsageError: The checkpoint belongs to another configuration; the batch is not a multiple of
            the number of processes; the loss is no longer finite.
        OutputError: `out` cannot be written; the last checkpoint is kept.
    """
    torch.set_num_threads(optimisation.threads)
    group = group or single_process()
    state = _initial_state(task, optimisation, group)
    checkpoint = Checkpoint(out / "checkpoint.pt", seed, config_sha256)
    checkpoint.resume(state)
    model = group.distribute(state.network)
    precision = autocast(optimisation.precision, group.device)
    average, batch_size = LossAverage(), group.local_batch_size(optimisation.batch)
    started = time.monotonic() - state.seconds
    opened = open_training_log(
        out,
        is_main_process=group.is_main_process,
        done=state.done,
        steps=optimisation.steps,
        progress=progress,
    )
    with opened as logger:
        if group.is_main_process and state.done == 0:
            logger.log_pictures(0, first_pictures(task, state, optimisation, group, precision))
        for batch in _remaining_batches(task, optimisation, state, group):
            torch.manual_seed(_step_seed(seed, state.done, group.rank))
            rate = learning_rate(optimisation, state.done)
            set_learning_rate(state.optimiser, rate)
            moved = to_device(batch, group.device)
            average.add(_step(model, task, state, moved, optimisation, precision), batch_size)
            state.finish_step(optimisation.ema_decay)
            logger.log_step()
            validates = _is_due(state.done, optimisation.steps, optimisation.validate_every)
            saves = _is_due(state.done, optimisation.steps, optimisation.checkpoint_every)
            logs = _is_due(state.done, optimisation.steps, optimisation.log_every)
            if not (validates or saves or logs):
                continue
            row = {"learning_rate": rate, **average.take(group)}
            if validates:
                losses, pictures = validate(task, state, optimisation, group, precision)
                row |= {VALIDATION + name: value for name, value in losses.items()}
                state.record_validation(losses["loss"])
                logger.log_pictures(state.done, pictures)
            logger.log_losses(state.done, row)
            state.seconds = time.monotonic() - started
            finished = state.is_finished(optimisation.steps, optimisation.patience)
            if group.is_main_process and (saves or finished):
                checkpoint.save(state)
            if finished:
                break
    state.network.load_state_dict(state.average if optimisation.patience is None else state.best)
    return TrainedNetwork(state.network.eval(), state.done, state.seconds)


def _initial_state(
    task: TrainingTask, optimisation: OptimisationConfig, group: ProcessGroup
) -> TrainingState:
    """The state before the first step."""
    network = convert_conv3d_weight_memory_format(
        task.network.to(group.device).train(), torch.channels_last_3d
    )
    return TrainingState(network, make_optimiser(network, optimisation))


def _remaining_batches(
    task: TrainingTask, optimisation: OptimisationConfig, state: TrainingState, group: ProcessGroup
) -> DataLoader[dict[str, Any]]:
    """This process' part of the batches still to come, prepared ahead by workers.

    Which samples form a batch does not depend on the group: each process takes its part of them.
    """
    local = group.local_batch_size(optimisation.batch)
    finished = state.is_finished(optimisation.steps, optimisation.patience)
    end = state.done if finished else optimisation.steps
    starts = (step * optimisation.batch + group.rank * local for step in range(state.done, end))
    return DataLoader(
        task.samples,
        batch_sampler=[list(range(start, start + local)) for start in starts],
        num_workers=optimisation.loader_workers,
        prefetch_factor=4 if optimisation.loader_workers else None,
        collate_fn=task.collate,
        pin_memory=group.device.type == "cuda",
    )


def _step_seed(seed: int, done: int, rank: int) -> int:
    """Dropout depends on the step, so that the checkpoint need not hold a random state."""
    return int(np.random.SeedSequence((seed, done, rank)).generate_state(1)[0])


def _step(
    model: nn.Module,
    task: TrainingTask,
    state: TrainingState,
    batch: dict[str, Any],
    optimisation: OptimisationConfig,
    precision: torch.autocast,
) -> dict[str, Tensor]:
    """Forward, backward, and one step of the optimiser; the parts of the loss."""
    with precision:
        output = model(batch["image"])
    parts = task.loss(in_float32(output), batch)
    state.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(parts["loss"])
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), optimisation.gradient_clip)
    state.optimiser.step()
    return parts


def _is_due(done: int, steps: int, every: int) -> bool:
    """Whether something that happens every so many steps, and after the last, is due."""
    return done % every == 0 or done == steps
