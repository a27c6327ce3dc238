import dataclasses
import resource

import pytest
import torch
from torch import nn

from hounsfield.models.training.engine.loop import train
from hounsfield.models.training.engine.schedule import learning_rate, make_optimiser
from hounsfield.preprocessing.errors import OutputError, UsageError
from tests.models.training.toy_training import (
    squared_error,
    toy_plan,
    toy_task,
    toy_train,
    weights,
)


class KillError(Exception):
    pass


def dying_at(call):
    calls = 0

    def loss(output, batch):
        nonlocal calls
        calls += 1
        if calls == call:
            raise KillError
        return squared_error(output, batch)

    return loss


@pytest.mark.parametrize(
    "changes", [{}, {"patience": 1, "learning_rate": 0.5, "validate_every": 2}]
)
def test_a_run_that_was_killed_at_any_loss_and_resumed_ends_in_the_same_weights(tmp_path, changes):
    plan = toy_plan(**changes)
    whole = toy_train(toy_task(), plan, tmp_path / "whole")
    rows = (tmp_path / "whole" / "log.csv").read_bytes()
    for call in range(1, 100):
        out = tmp_path / str(call)
        try:
            toy_train(toy_task(loss=dying_at(call)), plan, out)
        except KillError:
            resumed = toy_train(toy_task(), plan, out)
            assert torch.equal(weights(resumed.network), weights(whole.network)), call
            assert (out / "log.csv").read_bytes() == rows, call
            assert resumed.steps == whole.steps
        else:
            break
    assert call > whole.steps


def test_two_runs_of_one_recipe_give_the_same_weights_however_samples_are_made(tmp_path):
    one, other = (
        toy_train(toy_task(), toy_plan(loader_workers=workers), tmp_path / str(workers)).network
        for workers in (0, 1)
    )
    assert torch.equal(weights(one), weights(other))


def test_a_finished_training_is_not_done_again(tmp_path):
    whole = toy_train(toy_task(), toy_plan(), tmp_path)
    again = toy_train(toy_task(loss=dying_at(1)), toy_plan(), tmp_path)
    assert torch.equal(weights(again.network), weights(whole.network))


def test_a_checkpoint_of_another_configuration_or_seed_is_refused(tmp_path):
    toy_train(toy_task(), toy_plan(), tmp_path)
    for seed, config in ((3, "other"), (4, "c")):
        with pytest.raises(UsageError, match="made by another configuration"):
            train(toy_task(), toy_plan(), seed=seed, config_sha256=config, out=tmp_path)


def test_training_lowers_the_loss_with_either_optimiser(tmp_path):
    for optimiser, rate in (("adamw", 0.01), ("sgd", 0.05)):
        plan = toy_plan(optimiser=optimiser, learning_rate=rate, steps=120, validate_every=10)
        toy_train(toy_task(dropout=0.0), plan, tmp_path / optimiser)
        losses = validation_losses(tmp_path / optimiser)
        assert losses[-1] < losses[0] / 2, optimiser


def validation_losses(out):
    rows = (out / "log.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [float(row.split(",")[-1]) for row in rows if not row.endswith(",")]


def test_patience_ends_the_training_and_gives_the_best_weights(tmp_path):
    # The held-out samples say the contrary of the training: every step makes them worse.
    def contrary(output, batch):
        sign = 1 if torch.is_grad_enabled() else -1
        return {"loss": sign * squared_error(output, batch)["loss"]}

    plan = toy_plan(
        steps=40,
        validate_every=4,
        patience=2,
        optimiser="sgd",
        learning_rate=0.02,
        schedule="multi_step",
    )
    trained = toy_train(toy_task(dropout=0.0, loss=contrary), plan, tmp_path / "long")
    losses = validation_losses(tmp_path / "long")
    best = plan.validate_every * (losses.index(min(losses)) + 1)
    assert trained.steps == best + plan.validate_every * plan.patience < plan.steps
    until_best = plan.model_copy(update={"steps": best, "patience": None})
    short = toy_train(toy_task(dropout=0.0, loss=contrary), until_best, tmp_path / "short")
    assert torch.equal(weights(trained.network), weights(short.network))


def test_a_full_disk_is_one_sentence_and_the_checkpoint_before_stays(tmp_path):
    toy_train(toy_task(), toy_plan(steps=4), tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    more = toy_plan(steps=8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"checkpoint\.pt cannot be written: .*is kept"):
            toy_train(toy_task(), more, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not list(tmp_path.glob(".*partial"))


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    def broken(output, _batch):
        return {"loss": output.mean() * torch.nan}

    with pytest.raises(UsageError, match="loss must be finite"):
        toy_train(toy_task(loss=broken), toy_plan(), tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_outputs_may_be_dicts_of_lists_and_the_loss_sees_them_in_float32(tmp_path):
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(216, 1), nn.Linear(216, 1)

        def forward(self, image):
            flat = image.flatten(1)
            return {"heads": [self.one(flat), self.two(flat)]}

    def loss(output, batch):
        one, two = output["heads"]
        assert one.dtype == two.dtype == torch.float32
        assert isinstance(batch["boxes"], list)
        error = squared_error(one + two, batch)["loss"]
        return {"loss": error, "one": one.mean()}

    def with_boxes(samples):
        batch = torch.utils.data.default_collate(samples)
        return {**batch, "boxes": [torch.zeros(n, 6) for n in range(len(samples))]}

    task = dataclasses.replace(toy_task(loss=loss, collate=with_boxes), network=TwoHeads())
    toy_train(task, toy_plan(precision="bfloat16"), tmp_path)
    header = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "step,learning_rate,loss,one,validation_loss,validation_one"


def test_the_schedules_warm_up_and_fall_as_the_recipe_says():
    steps = toy_plan(
        schedule="multi_step", learning_rate=1.0, decay_at=(5, 9), decay_factor=0.1, warmup_steps=4
    )
    rates = [round(learning_rate(steps, done), 4) for done in range(12)]
    assert rates == [0.25, 0.5, 0.75, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    cosine = toy_plan(learning_rate=1.0, warmup_steps=0, steps=100)
    assert [round(learning_rate(cosine, done), 2) for done in (0, 50, 99)] == [1.0, 0.5, 0.01]


def test_sgd_has_nesterov_momentum():
    group = make_optimiser(nn.Linear(1, 1), toy_plan(optimiser="sgd")).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.9, True)
