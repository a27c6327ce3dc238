import dataclasses
import resource

import pytest
import torch
from torch import nn

from hounsfield.models.training.engine.loop import train
from hounsfield.models.training.engine.process_group import ProcessGroup
from hounsfield.models.training.engine.schedule import learning_rate, make_optimiser
from hounsfield.preprocessing.errors import OutputError, UsageError
from tests.models.training.toy_training import (
    squared_error,
    toy_optimisation,
    toy_task,
    toy_train,
    weights,
)


class KillError(Exception):
    pass


def killed_at(call):
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
def test_a_training_killed_at_any_loss_and_resumed_ends_in_the_same_weights_and_log(
    tmp_path, changes
):
    optimisation = toy_optimisation(**changes)
    whole = toy_train(toy_task(), optimisation, tmp_path / "whole")
    rows = (tmp_path / "whole" / "log.csv").read_bytes()
    for call in range(1, 100):
        out = tmp_path / str(call)
        try:
            toy_train(toy_task(loss=killed_at(call)), optimisation, out)
        except KillError:
            resumed = toy_train(toy_task(), optimisation, out)
            assert torch.equal(weights(resumed.network), weights(whole.network)), call
            assert (out / "log.csv").read_bytes() == rows, call
            assert resumed.steps == whole.steps
        else:
            break
    assert call > whole.steps


def test_the_weights_do_not_depend_on_the_number_of_loader_workers(tmp_path):
    without, with_worker = (
        toy_train(
            toy_task(), toy_optimisation(loader_workers=workers), tmp_path / str(workers)
        ).network
        for workers in (0, 1)
    )
    assert torch.equal(weights(without), weights(with_worker))


def test_a_finished_training_computes_no_further_loss(tmp_path):
    whole = toy_train(toy_task(), toy_optimisation(), tmp_path)
    again = toy_train(toy_task(loss=killed_at(1)), toy_optimisation(), tmp_path)
    assert torch.equal(weights(again.network), weights(whole.network))


def test_a_checkpoint_of_another_configuration_or_seed_is_refused(tmp_path):
    toy_train(toy_task(), toy_optimisation(), tmp_path)
    for seed, config in ((3, "other"), (4, "c")):
        with pytest.raises(UsageError, match="made with another training configuration"):
            train(toy_task(), toy_optimisation(), seed=seed, config_sha256=config, out=tmp_path)


def test_both_optimisers_lower_the_loss(tmp_path):
    for optimiser, rate in (("adamw", 0.01), ("sgd", 0.05)):
        optimisation = toy_optimisation(
            optimiser=optimiser, learning_rate=rate, steps=120, validate_every=10
        )
        toy_train(toy_task(dropout=0.0), optimisation, tmp_path / optimiser)
        losses = validation_losses(tmp_path / optimiser)
        assert losses[-1] < losses[0] / 2, optimiser


def validation_losses(out):
    rows = (out / "log.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [float(row.split(",")[-1]) for row in rows if not row.endswith(",")]


def test_patience_stops_the_training_and_keeps_the_best_weights(tmp_path):
    # The validation loss is the negative of the training loss: every step makes it worse.
    def opposed(output, batch):
        sign = 1 if torch.is_grad_enabled() else -1
        return {"loss": sign * squared_error(output, batch)["loss"]}

    optimisation = toy_optimisation(
        steps=40,
        validate_every=4,
        patience=2,
        optimiser="sgd",
        learning_rate=0.02,
        schedule="multi_step",
    )
    trained = toy_train(toy_task(dropout=0.0, loss=opposed), optimisation, tmp_path / "long")
    losses = validation_losses(tmp_path / "long")
    best = optimisation.validate_every * (losses.index(min(losses)) + 1)
    assert (
        trained.steps
        == best + optimisation.validate_every * optimisation.patience
        < optimisation.steps
    )
    until_best = optimisation.model_copy(update={"steps": best, "patience": None})
    short = toy_train(toy_task(dropout=0.0, loss=opposed), until_best, tmp_path / "short")
    assert torch.equal(weights(trained.network), weights(short.network))


def test_a_full_disk_is_one_sentence_and_keeps_the_previous_checkpoint(tmp_path):
    toy_train(toy_task(), toy_optimisation(steps=4), tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    longer = toy_optimisation(steps=8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"checkpoint\.pt cannot be written: .*is kept"):
            toy_train(toy_task(), longer, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not list(tmp_path.glob(".*partial"))


def test_a_loss_that_is_not_finite_stops_the_training_without_a_checkpoint(tmp_path):
    def broken(output, _batch):
        return {"loss": output.mean() * torch.nan}

    with pytest.raises(UsageError, match="loss must be finite"):
        toy_train(toy_task(loss=broken), toy_optimisation(), tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_outputs_may_be_dicts_of_lists_and_reach_the_loss_in_float32(tmp_path):
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(216, 1), nn.Linear(216, 1)

        def forward(self, image):
            flat = image.flatten(1)
            return {"heads": [self.first(flat), self.second(flat)]}

    def loss(output, batch):
        first, second = output["heads"]
        assert first.dtype == second.dtype == torch.float32
        assert isinstance(batch["boxes"], list)
        error = squared_error(first + second, batch)["loss"]
        return {"loss": error, "first": first.mean()}

    def with_boxes(samples):
        batch = torch.utils.data.default_collate(samples)
        return {**batch, "boxes": [torch.zeros(n, 6) for n in range(len(samples))]}

    task = dataclasses.replace(toy_task(loss=loss, collate=with_boxes), network=TwoHeads())
    toy_train(task, toy_optimisation(precision="bfloat16"), tmp_path)
    header = (tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "step,learning_rate,loss,first,validation_loss,validation_first"


def test_schedules_warm_up_and_decay_as_configured():
    multi_step = toy_optimisation(
        schedule="multi_step", learning_rate=1.0, decay_at=(5, 9), decay_factor=0.1, warmup_steps=4
    )
    rates = [round(learning_rate(multi_step, done), 4) for done in range(12)]
    assert rates == [0.25, 0.5, 0.75, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    cosine = toy_optimisation(learning_rate=1.0, warmup_steps=0, steps=100)
    assert [round(learning_rate(cosine, done), 2) for done in (0, 50, 99)] == [1.0, 0.5, 0.01]


def test_a_batch_that_the_processes_cannot_share_evenly_is_refused():
    group = ProcessGroup(0, 3, torch.device("cpu"))
    assert group.local_batch_size(6) == 2
    with pytest.raises(UsageError, match=r"optimisation\.batch .* multiple of the 3 .* got 4"):
        group.local_batch_size(4)


def test_sgd_has_nesterov_momentum():
    group = make_optimiser(nn.Linear(1, 1), toy_optimisation(optimiser="sgd")).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.9, True)
