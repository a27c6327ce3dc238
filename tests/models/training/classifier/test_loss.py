import numpy as np
import pytest
import torch
from torch.nn import functional

from hounsfield.data.phantom import NoduleSpec
from hounsfield.models.networks.class_net import ATTRIBUTES
from hounsfield.models.training.classifier.class_material import UNKNOWN_ATTRIBUTES, attributes_of
from hounsfield.models.training.classifier.loss import (
    ATTRIBUTES_WEIGHT,
    classification_loss,
    partial_label_loss,
)


def test_with_one_allowed_class_the_loss_is_the_cross_entropy():
    logits, label = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 1, 0])
    batch = {"allowed": functional.one_hot(label, 4).float(), "weight": torch.ones(6)}
    expected = functional.cross_entropy(logits, label)
    assert partial_label_loss(logits, batch)["loss"] == pytest.approx(float(expected), rel=1e-5)


def test_allowed_classes_are_interchangeable():
    batch = {"allowed": torch.tensor([[1.0, 1.0, 1.0, 0.0]]), "weight": torch.ones(1)}
    first = partial_label_loss(torch.tensor([[9.0, 0.0, 0.0, 0.0]]), batch)["loss"]
    third = partial_label_loss(torch.tensor([[0.0, 0.0, 9.0, 0.0]]), batch)["loss"]
    assert first == pytest.approx(float(third))
    assert first < 1e-3


def test_the_loss_is_minus_the_log_probability_of_the_allowed_classes():
    maps = torch.zeros(1, 2, 4 + len(ATTRIBUTES), 2, 2, 2)
    maps[0, 0, 0] = np.log(3.0)
    batch = {
        "allowed": torch.tensor([[1.0, 1.0, 0.0, 0.0]]),
        "weight": torch.ones(1),
        "attributes": torch.tensor(UNKNOWN_ATTRIBUTES)[None],
    }
    parts = classification_loss(maps, batch)
    assert float(parts["loss"]) == float(parts["classes"]) == pytest.approx(-np.log(4 / 6))
    assert parts["attributes"] == 0
    assert parts["accuracy"] == 1


def test_each_known_attribute_adds_its_own_cross_entropy():
    maps = torch.zeros(2, 2, 4 + len(ATTRIBUTES), 2, 2, 2)
    maps[:, 1, 4 + ATTRIBUTES.index("cavitary")] = np.log(3.0)
    cavitary = attributes_of(NoduleSpec(diameter_mm=20.0, cavity=0.4))
    batch = {
        "allowed": torch.ones(2, 4),
        "weight": torch.ones(2),
        "attributes": torch.tensor(np.stack([cavitary, UNKNOWN_ATTRIBUTES])),
    }
    known = (-np.log(3 / 4) + (len(ATTRIBUTES) - 1) * np.log(2)) / len(ATTRIBUTES)
    parts = classification_loss(maps, batch)
    assert float(parts["attributes"]) == pytest.approx(known / 2)
    assert float(parts["loss"]) == pytest.approx(ATTRIBUTES_WEIGHT * known / 2)
