import pytest
from torch import nn

from hounsfield.models.training.engine.network import make_network
from hounsfield.preprocessing.errors import UsageError


class Toy(nn.Module):
    def __init__(self, channels, *, depth=1):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(channels, channels) for _ in range(depth))


def test_a_network_is_built_from_its_settings():
    assert len(make_network(Toy, {"channels": 4, "depth": 3}).layers) == 3


def test_an_unknown_setting_is_named_with_those_that_exist():
    sentence = r"network\.width: there is no such setting; known here: channels, depth"
    with pytest.raises(UsageError, match=sentence):
        make_network(Toy, {"channels": 4, "width": 3})


def test_a_missing_setting_is_named():
    with pytest.raises(UsageError, match=r"network\.channels is missing"):
        make_network(Toy, {"depth": 3})
