"""A training that takes a second: `python -m tests.models.training.toy_training OUT STEPS`."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from hounsfield.models.training.engine.configuration import Optimisation
from hounsfield.models.training.engine.loop import Task, train
from hounsfield.models.training.engine.process_group import join_process_group


class Cubes(Dataset):
    """Noise, and its mean: each sample depends on its index alone."""

    def __getitem__(self, index):
        cube = np.random.default_rng(index).normal(size=(1, 6, 6, 6)).astype(np.float32)
        return {"image": torch.from_numpy(cube), "y": torch.tensor([cube.mean()])}


def toy_plan(**changes):
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
    return Optimisation(**{**settings, **changes})


def toy_task(*, dropout=0.2, **fields):
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv3d(1, 4, 3), nn.SiLU(), nn.Dropout(dropout), nn.Flatten(), nn.Linear(256, 1)
    )
    return Task(network, Cubes(), Cubes(), **{"loss": squared_error, **fields})


def squared_error(output, batch):
    return {"loss": (output - batch["y"]).square().mean()}


def toy_train(task, plan, out, **options):
    out.mkdir(exist_ok=True)
    return train(task, plan, seed=3, config_sha256="c", out=out, **options)


def weights(network):
    return torch.cat([value.flatten() for value in network.state_dict().values()])


if __name__ == "__main__":
    with join_process_group() as team:
        # Without dropout a team and one process compute the same.
        task = toy_task(dropout=0.0 if team.size > 1 else 0.2)
        plan = toy_plan(steps=int(sys.argv[2]))
        network = toy_train(task, plan, Path(sys.argv[1]), team=team).network
        if team.is_main_process:
            torch.save(weights(network), Path(sys.argv[1]) / "weights.pt")
