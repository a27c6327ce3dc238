"""The training loop: one loop for every task, visible from the first step to the last."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.utils import convert_conv3d_weight_memory_format
from torch.utils.data import DataLoader

from hounsfield.models.training.engine.checkpoints import Checkpoint
from hounsfield.models.training.engine.loss_average import LossMeans
from hounsfield.models.training.engine.precision import autocast, in_float32
from hounsfield.models.training.engine.process_group import alone, to_device
from hounsfield.models.training.engine.schedule import (
    learning_rate,
    make_optimiser,
    set_learning_rate,
)
from hounsfield.models.training.engine.state import State
from hounsfield.models.training.engine.validation import first_pictures, validate
from hounsfield.models.training.reporting.curves import VALIDATION
from hounsfield.models.training.reporting.logger import telling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.utils.data import Dataset

    from hounsfield.models.networks.onnx_graph import GraphSpec
    from hounsfield.models.training.engine.configuration import Optimisation
    from hounsfield.models.training.engine.process_group import ProcessGroup
    from hounsfield.models.training.reporting.progress import TrainingProgress


@dataclass(frozen=True, slots=True)
class Task:
    """What is trained, on what, and what is minimised.

    Attributes:
        network: Is called with the ``image`` of a batch; gives a tensor, or a dict or list.
        samples: At least steps x batch samples; each depends on its index alone.
        validation: Held-out samples, as many as the recipe asks for at least.
        loss: From the network's output, in float32, and the batch to ``loss``, which is
            minimised, and its parts, always the same; each a mean over the batch.
        collate: Makes a batch of samples where they are not all tensors of one shape.
        pictures: From a batch and the network's output for it to grey pictures ``[y, x]`` that
            show what it was fed, what it should answer and what it answers.
        graph: What the network takes where it shall run without torch too.
    """

    network: nn.Module
    samples: Dataset[dict[str, Any]]
    validation: Dataset[dict[str, Any]]
    loss: Callable[[Any, Any], dict[str, Tensor]]
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]] | None = None
    pictures: Callable[[Any, Any], list[NDArray[np.uint8]]] | None = None
    graph: GraphSpec | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gives.

    Attributes:
        network: In evaluation mode, with the moving average of its weights.
        steps: That were done.
        seconds: That they took, over all sittings.
    """

    network: nn.Module
    steps: int
    seconds: float


def train(
    task: Task,
    plan: Optimisation,
    *,
    seed: int,
    config_sha256: str,
    out: Path,
    team: ProcessGroup | None = None,
    progress: TrainingProgress | None = None,
) -> Trained:
    """Trains to the last step, going on from ``checkpoint.pt`` in `out` where there is one.

    A run that was killed and resumed ends in the same weights as one that was not, on the same
    processor with the same number of threads. A team sees the same batches as one process.

    Args:
        task: What is trained.
        plan: The recipe's numbers.
        seed: Of the chance inside the network.
        config_sha256: Hash of the recipe.
        out: Gets the checkpoint, ``log.csv``, ``curves`` and ``samples``; where the team is on
            several machines, each must see it.
        team: The processes that train together; else this one alone.
        progress: Where it is told how far the training is.

    Raises:
        UsageError: The checkpoint belongs to another configuration; the batch cannot be dealt
            out to the team; the loss is no longer finite.
        OutputError: `out` cannot be written; the last checkpoint is kept.
    """
    torch.set_num_threads(plan.threads)
    team = team or alone()
    state = _begin(task, plan, team)
    checkpoint = Checkpoint(out / "checkpoint.pt", seed, config_sha256)
    checkpoint.resume(state)
    model, casts = team.joined(state.network), autocast(plan.precision, team.device)
    means, share = LossMeans(), team.share_of(plan.batch)
    started = time.monotonic() - state.seconds
    told = telling(
        out,
        is_main_process=team.is_main_process,
        done=state.done,
        steps=plan.steps,
        progress=progress,
    )
    with told as tell:
        if team.is_main_process and state.done == 0:
            tell.pictures(0, first_pictures(task, state, plan, team, casts))
        for batch in _batches(task, plan, state, team):
            torch.manual_seed(_step_seed(seed, state.done, team.rank))
            rate = learning_rate(plan, state.done)
            set_learning_rate(state.optimiser, rate)
            means.add(_step(model, task, state, to_device(batch, team.device), plan, casts), share)
            state.follow(plan.ema_decay)
            tell.stepped()
            validates = _due(state.done, plan.steps, plan.validate_every)
            saves = _due(state.done, plan.steps, plan.checkpoint_every)
            if not (validates or saves or _due(state.done, plan.steps, plan.log_every)):
                continue
            row = {"learning_rate": rate, **means.over(team)}
            if validates:
                held_out, pictures = validate(task, state, plan, team, casts)
                row |= {VALIDATION + name: value for name, value in held_out.items()}
                state.judge(held_out["loss"])
                tell.pictures(state.done, pictures)
            tell.row(state.done, row)
            state.seconds = time.monotonic() - started
            ended = state.ended(plan.steps, plan.patience)
            if team.is_main_process and (saves or ended):
                checkpoint.save(state)
            if ended:
                break
    state.network.load_state_dict(state.average if plan.patience is None else state.best)
    return Trained(state.network.eval(), state.done, state.seconds)


def _begin(task: Task, plan: Optimisation, team: ProcessGroup) -> State:
    """The state before the first step."""
    network = convert_conv3d_weight_memory_format(
        task.network.to(team.device).train(), torch.channels_last_3d
    )
    return State(network, make_optimiser(network, plan))


def _batches(
    task: Task, plan: Optimisation, state: State, team: ProcessGroup
) -> DataLoader[dict[str, Any]]:
    """This process' share of the batches that are still to come, made ahead by workers.

    Which samples are in a batch does not depend on the team: each takes its part of it.
    """
    share = team.share_of(plan.batch)
    until = state.done if state.ended(plan.steps, plan.patience) else plan.steps
    firsts = (step * plan.batch + team.rank * share for step in range(state.done, until))
    return DataLoader(
        task.samples,
        batch_sampler=[list(range(first, first + share)) for first in firsts],
        num_workers=plan.loader_workers,
        prefetch_factor=4 if plan.loader_workers else None,
        collate_fn=task.collate,
        pin_memory=team.device.type == "cuda",
    )


def _step_seed(seed: int, done: int, rank: int) -> int:
    """Chance inside the network (dropout) depends on the step, so that no state need be kept."""
    return int(np.random.SeedSequence((seed, done, rank)).generate_state(1)[0])


def _step(
    model: nn.Module,
    task: Task,
    state: State,
    batch: dict[str, Any],
    plan: Optimisation,
    casts: torch.autocast,
) -> dict[str, Tensor]:
    """One step down the gradient."""
    with casts:
        output = model(batch["image"])
    parts = task.loss(in_float32(output), batch)
    state.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(parts["loss"])
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), plan.gradient_clip)
    state.optimiser.step()
    return parts


def _due(done: int, steps: int, every: int) -> bool:
    """Whether something that is done every so many steps, and after the last, is due."""
    return done % every == 0 or done == steps
