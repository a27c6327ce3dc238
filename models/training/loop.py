"""The training loop: one loop for every task, visible from the first step to the last."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import convert_conv3d_weight_memory_format
from torch.utils.data import DataLoader, Dataset, Subset

from preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

    from models.training.configuration import Optimisation

log = logging.getLogger(__name__)

LOG_EVERY = 50


@dataclass(frozen=True, slots=True)
class Task:
    """What is trained, on what, and what is minimised.

    Attributes:
        samples: At least steps x batch samples; each depends on its index alone.
        validation: Held-out samples.
        loss: From the network's output and the batch to ``loss`` and its parts.
    """

    network: nn.Module
    samples: Dataset[dict[str, Tensor]]
    validation: Dataset[dict[str, Tensor]]
    loss: Callable[[Tensor, dict[str, Tensor]], dict[str, Tensor]]


def train(task: Task, plan: Optimisation, *, seed: int, config_sha256: str, out: Path) -> nn.Module:
    """Trains to the last step, going on from ``checkpoint.pt`` in `out` where there is one.

    A run that was killed and resumed ends in the same weights as one that was not, on the same
    processor with the same number of threads.

    Returns:
        The network with the moving average of its weights, in evaluation mode.

    Raises:
        UsageError: The checkpoint belongs to another configuration.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(plan.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = convert_conv3d_weight_memory_format(
        task.network.to(device).train(), torch.channels_last_3d
    )
    optimiser = torch.optim.AdamW(
        network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay
    )
    average = {name: value.clone() for name, value in network.state_dict().items()}
    checkpoint = out / "checkpoint.pt"
    done = _resume(checkpoint, network, optimiser, average, config_sha256)
    out.mkdir(parents=True, exist_ok=True)
    started, first = time.monotonic(), done
    for batch in _batches(task.samples, plan, done):
        _set_learning_rate(optimiser, plan, done)
        parts = _step(task, network, optimiser, _to(batch, device), plan)
        _follow(average, network, min(plan.ema_decay, (1 + done) / (10 + done)))
        done += 1
        if done % LOG_EVERY == 0 or done == plan.steps:
            _report(parts, done, plan.steps, (time.monotonic() - started) / (done - first))
        if done % plan.validate_every == 0 or done == plan.steps:
            _validate(task, network, average, plan, device, done)
        if done % plan.checkpoint_every == 0 or done == plan.steps:
            _save(checkpoint, network, optimiser, average, done, config_sha256)
    task.network.load_state_dict(average)
    return task.network.eval()


def _batches(
    samples: Dataset[dict[str, Tensor]], plan: Optimisation, done: int
) -> DataLoader[dict[str, Tensor]]:
    """The batches that are still to come, made ahead by worker processes."""
    rest = range(done * plan.batch, plan.steps * plan.batch)
    return DataLoader(
        Subset(samples, rest),
        batch_size=plan.batch,
        num_workers=plan.loader_workers,
        prefetch_factor=4 if plan.loader_workers else None,
    )


def _set_learning_rate(optimiser: torch.optim.Optimizer, plan: Optimisation, done: int) -> None:
    """Linear warm-up, then a cosine to nearly nothing."""
    warm = min(1.0, (done + 1) / max(1, plan.warmup_steps))
    decay = 0.5 * (1 + math.cos(math.pi * done / plan.steps))
    for group in optimiser.param_groups:
        group["lr"] = plan.learning_rate * warm * max(decay, 0.01)


def _step(
    task: Task,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    plan: Optimisation,
) -> dict[str, float]:
    """One step down the gradient; bfloat16 where there is a GPU."""
    image = batch["image"]
    with torch.autocast("cuda", torch.bfloat16, enabled=image.is_cuda):
        output = network(image)
    parts = task.loss(output, batch)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(parts["loss"])
    torch.nn.utils.clip_grad_norm_(network.parameters(), plan.gradient_clip)
    optimiser.step()
    return {name: float(value.detach()) for name, value in parts.items()}


def _follow(average: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Moves the average a little towards the network; counters are copied."""
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1 - decay)
        else:
            average[name].copy_(value)


def _validate(
    task: Task,
    network: nn.Module,
    average: dict[str, Tensor],
    plan: Optimisation,
    device: torch.device,
    done: int,
) -> None:
    """Logs the mean loss of the averaged weights on the held-out samples."""
    current = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(average)
    network.eval()
    held_out = Subset(task.validation, range(plan.validation_samples))
    totals: dict[str, float] = {}
    with torch.inference_mode():
        for batch in DataLoader(held_out, batch_size=plan.batch):
            moved = _to(batch, device)
            parts = task.loss(network(moved["image"]), moved)
            for name, value in parts.items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(batch["image"])
    network.load_state_dict(current)
    network.train()
    shown = " ".join(f"{k} {v / plan.validation_samples:.4f}" for k, v in totals.items())
    log.info("step %d validation: %s", done, shown)


def _report(parts: dict[str, float], done: int, steps: int, seconds_a_step: float) -> None:
    """One line of progress with the time left."""
    shown = " ".join(f"{name} {value:.4f}" for name, value in parts.items())
    minutes_left = (steps - done) * seconds_a_step / 60
    log.info(
        "step %d/%d: %s, %.2f s a step, %.0f min left",
        done,
        steps,
        shown,
        seconds_a_step,
        minutes_left,
    )


def _to(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Moves a batch; pictures in the layout that convolutions are fastest in."""
    return {
        name: value.to(device, memory_format=torch.channels_last_3d)
        if value.ndim == 5
        else value.to(device)
        for name, value in batch.items()
    }


def _save(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    done: int,
    config_sha256: str,
) -> None:
    """Writes the checkpoint whole or not at all."""
    state = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average,
        "done": done,
        "config_sha256": config_sha256,
    }
    temporary = path.with_suffix(".partial")
    torch.save(state, temporary)
    temporary.replace(path)


def _resume(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: dict[str, Tensor],
    config_sha256: str,
) -> int:
    """Loads a checkpoint into everything given; returns the number of steps done."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    if state["config_sha256"] != config_sha256:
        msg = f"{path} was made by another configuration: give another --out, or delete it"
        raise UsageError(msg)
    network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    for name, value in state["average"].items():
        average[name].copy_(value)
    log.info("going on from step %d", state["done"])
    return int(state["done"])
