import numpy as np
import pytest
import torch

from hounsfield.models.training.masses.configuration import MassSamplingConfig
from hounsfield.models.training.masses.loss import mass_loss
from hounsfield.models.training.masses.samples import OUTSIDE, MassSamples, join_crops
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS

SAMPLING = MassSamplingConfig(
    real_probability=1.0,
    crop_voxels=(32, 32, 48),
    crops_per_case=2,
    batches_per_case=2,
    case_streams=3,
)


def samples(chest, length=24):
    return MassSamples([chest], SAMPLING, length=length, seed=9, batch=4)


def test_a_sample_depends_on_its_index_alone(chest):
    in_turn, alone = samples(chest), samples(chest)
    in_turn[0]
    assert torch.equal(in_turn[1]["image"], alone[1]["image"])
    assert torch.equal(in_turn[1]["labels"], alone[1]["labels"])


def test_a_case_is_used_in_successive_batches_of_its_stream(chest):
    drawn = samples(chest, length=100)
    first = [drawn._case_number(index) for index in range(4)]
    next_in_stream = [drawn._case_number(3 * 4 + index) for index in range(4)]
    assert first == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert next_in_stream == [(0, 2), (0, 3), (0, 4), (0, 5)]
    assert drawn._case_number(4) == (1, 0)


def test_crops_have_the_configured_size_and_known_labels(chest):
    batch = join_crops([samples(chest)[0], samples(chest)[1]])
    assert batch["image"].shape == (4, 3, 32, 32, 48)
    assert batch["image"].dtype == torch.int16
    assert batch["labels"].shape == (4, 32, 32, 48)
    assert set(np.unique(batch["labels"])) <= {0, MASS, OUTSIDE, IGNORED}
    assert set(np.unique(batch["image"][:, 1])) <= {0, 1, 2}


def test_an_index_beyond_the_last_sample_is_refused(chest):
    with pytest.raises(IndexError):
        samples(chest)[24]


def test_the_correct_output_has_the_lowest_loss():
    labels = torch.zeros((1, 16, 16, 16), dtype=torch.uint8)
    labels[:, 4:12, 4:12, 4:12] = MASS
    correct = (labels == MASS).float()[:, None] * 16 - 8

    def loss(logits):
        return float(mass_loss(logits, {"labels": labels})["loss"])

    assert loss(correct) < 0.01 < loss(torch.zeros_like(correct)) < loss(-correct)


def test_ignored_voxels_have_no_loss():
    labels = torch.full((1, 16, 16, 16), IGNORED, dtype=torch.uint8)
    labels[:, :4] = 0
    output = torch.full((1, 1, 16, 16, 16), 9.0)
    output[:, :, :4] = -9.0
    assert float(mass_loss(output, {"labels": labels})["loss"]) < 0.01
