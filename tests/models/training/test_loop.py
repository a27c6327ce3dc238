import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from models.training.configuration import Optimisation
from models.training.loop import Task, train
from preprocessing.errors import UsageError

PLAN = Optimisation(
    steps=12,
    batch=2,
    learning_rate=0.05,
    warmup_steps=2,
    loader_workers=0,
    threads=1,
    validate_every=6,
    validation_samples=2,
    checkpoint_every=4,
)


class Line(Dataset):
    """Samples of y = 3 x: each depends on its index alone."""

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        x = float(np.random.default_rng(index).normal())
        return {"image": torch.tensor([x]), "y": torch.tensor([3 * x])}


class KillError(Exception):
    pass


def a_task(die_at=None):
    torch.manual_seed(1)
    calls = 0

    def loss(output, batch):
        nonlocal calls
        calls += 1
        if calls == die_at:
            raise KillError
        return {"loss": (output - batch["y"]).square().mean()}

    return Task(nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)), Line(), Line(), loss)


def weights(network):
    return torch.cat([p.flatten() for p in network.state_dict().values()])


def test_a_run_that_was_killed_and_resumed_ends_in_the_same_weights(tmp_path):
    whole = train(a_task(), PLAN, seed=3, config_sha256="c", out=tmp_path / "whole")
    with pytest.raises(KillError):
        train(a_task(die_at=11), PLAN, seed=3, config_sha256="c", out=tmp_path / "killed")
    resumed = train(a_task(), PLAN, seed=3, config_sha256="c", out=tmp_path / "killed")
    assert torch.equal(weights(whole), weights(resumed))


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path):
    train(a_task(), PLAN, seed=3, config_sha256="one", out=tmp_path)
    with pytest.raises(UsageError, match="made by another configuration"):
        train(a_task(), PLAN, seed=3, config_sha256="other", out=tmp_path)


def test_training_lowers_the_loss(tmp_path):
    task = a_task()
    x = torch.linspace(-1, 1, 20)[:, None]
    before = (task.network(x) - 3 * x).square().mean()
    plan = PLAN.model_copy(update={"steps": 150})
    after = (train(task, plan, seed=3, config_sha256="c", out=tmp_path)(x) - 3 * x).square().mean()
    assert after < before / 4
