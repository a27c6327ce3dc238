"""A training that takes a second, also as a process of its own.

`python -m tests.models.training.toy_training OUT STEPS [LOSSES]` kills itself with SIGKILL when it
is to compute the loss for the time after LOSSES.
"""

import dataclasses
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from hounsfield.models.training.engine.configuration import OptimisationConfig
from hounsfield.models.training.engine.loop import train
from hounsfield.models.training.engine.process_group import join_process_group
from hounsfield.models.training.engine.task import TrainingTask


class Cubes(Dataset):
    """Noise, and its mean: each sample depends on its index alone."""

    def __getitem__(self, index):
        cube = np.random.default_rng(index).normal(size=(1, 6, 6, 6)).astype(np.float32)
        return {"image": torch.from_numpy(cube), "y": torch.tensor([cube.mean()])}


def toy_optimisation(**changes):
    settings = {
        "steps": 12,
        "batch": 4,
        "learning_rate": 0.05,
        "warmup_steps": 2,
        "loader_workers": 0,
        "threads": 1,
        "log_every": 3,
        "validate_every": 6,
        "validation_samples": 4,
        "checkpoint_every": 4,
        "precision": "float32",
    }
    return OptimisationConfig(**{**settings, **changes})


def toy_task(*, dropout=0.2, **fields):
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv3d(1, 4, 3), nn.SiLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(256, 1)
    )
    return TrainingTask(network, Cubes(), Cubes(), **{"loss": squared_error, **fields})


def squared_error(output, batch):
    return {"loss": (output - batch["y"]).square().mean()}


def killed_after(losses):
    """A loss that ends its process without any clean-up after so many computations."""
    computed = 0

    def loss(output, batch):
        nonlocal computed
        if computed == losses:
            os.kill(os.getpid(), signal.SIGKILL)
        computed += 1
        return squared_error(output, batch)

    return loss


def toy_train(task, optimisation, out, **options):
    out.mkdir(exist_ok=True)
    return train(task, optimisation, seed=3, config_sha256="c", out=out, **options)


def weights(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


if __name__ == "__main__":
    with join_process_group() as group:
        # Without dropout a process group and a single process compute the same.
        task = toy_task(dropout=0.0 if group.size > 1 else 0.2)
        if len(sys.argv) > 3:
            task = dataclasses.replace(task, loss=killed_after(int(sys.argv[3])))
        optimisation = toy_optimisation(steps=int(sys.argv[2]))
        network = toy_train(task, optimisation, Path(sys.argv[1]), group=group).network
        if group.is_main_process:
            torch.save(weights(network), Path(sys.argv[1]) / "weights.pt")
