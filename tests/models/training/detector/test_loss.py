import pytest
import torch

from hounsfield.models.training.detector.loss import detection_loss


def a_target():
    heat = torch.zeros(1, 4, 4, 4)
    heat[0, 1, 2, 3] = 1
    return {
        "heat": heat,
        "regression": torch.zeros(1, 4, 4, 4, 4),
        "sized": (heat == 1).float(),
        "weight": torch.ones(heat.shape),
    }


def prediction(logit_at_centre, logit_elsewhere):
    output = torch.full((1, 5, 4, 4, 4), 0.0)
    output[:, 0] = logit_elsewhere
    output[0, 0, 1, 2, 3] = logit_at_centre
    return output


def test_a_correct_prediction_has_almost_no_loss_and_a_wrong_one_a_large_loss():
    correct = detection_loss(prediction(9.0, -9.0), a_target())["loss"]
    wrong = detection_loss(prediction(-9.0, 9.0), a_target())["loss"]
    assert correct < 1e-3
    assert wrong > 100


def test_ignored_cells_have_no_loss():
    batch = a_target()
    batch["weight"][:] = 0
    assert detection_loss(prediction(-9.0, 9.0), batch)["focal"] == 0


def test_size_and_offset_count_at_sized_cells_only():
    batch = a_target()
    output = prediction(9.0, -9.0)
    output[:, 1:] = 1.0
    assert detection_loss(output, batch)["regression"] == pytest.approx(4.0)
