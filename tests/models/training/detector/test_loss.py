import pytest
import torch
from torch.nn import functional

from hounsfield.models.training.detector.loss import detection_loss, partial_label_loss


def a_target():
    heat = torch.zeros(1, 4, 4, 4)
    heat[0, 1, 2, 3] = 1
    return {
        "heat": heat,
        "regression": torch.zeros(1, 4, 4, 4, 4),
        "sized": (heat == 1).float(),
        "weight": torch.ones(heat.shape),
    }


def marks(logit_at_centre, logit_elsewhere):
    output = torch.full((1, 5, 4, 4, 4), 0.0)
    output[:, 0] = logit_elsewhere
    output[0, 0, 1, 2, 3] = logit_at_centre
    return output


def test_a_right_answer_costs_nearly_nothing_and_a_wrong_one_much():
    right = detection_loss(marks(9.0, -9.0), a_target())["loss"]
    wrong = detection_loss(marks(-9.0, 9.0), a_target())["loss"]
    assert right < 1e-3
    assert wrong > 100


def test_what_is_ignored_costs_nothing():
    batch = a_target()
    batch["weight"][:] = 0
    assert detection_loss(marks(-9.0, 9.0), batch)["focal"] == 0


def test_size_and_offset_count_where_a_nodule_is_sized_only():
    batch = a_target()
    output = marks(9.0, -9.0)
    output[:, 1:] = 1.0
    assert detection_loss(output, batch)["regression"] == pytest.approx(4.0)


def test_with_one_allowed_class_it_is_the_cross_entropy():
    logits, label = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 1, 0])
    batch = {"allowed": functional.one_hot(label, 4).float(), "weight": torch.ones(6)}
    expected = functional.cross_entropy(logits, label)
    assert partial_label_loss(logits, batch)["loss"] == pytest.approx(float(expected), rel=1e-5)


def test_probability_may_move_freely_among_the_allowed_classes():
    batch = {"allowed": torch.tensor([[1.0, 1.0, 1.0, 0.0]]), "weight": torch.ones(1)}
    one = partial_label_loss(torch.tensor([[9.0, 0.0, 0.0, 0.0]]), batch)["loss"]
    other = partial_label_loss(torch.tensor([[0.0, 0.0, 9.0, 0.0]]), batch)["loss"]
    assert one == pytest.approx(float(other))
    assert one < 1e-3
