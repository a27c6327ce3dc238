import torch

from hounsfield.models.networks.centre_heatmap import HEAT, SIZE_DIVISOR, STRIDE
from hounsfield.models.networks.centre_net import CentreNet

SMALL = {"stem_channels": 4, "stage_channels": (6, 8, 10), "pyramid_channels": 8}


def test_output_has_five_channels_at_the_stride():
    size = 2 * SIZE_DIVISOR
    marks = CentreNet(**SMALL)(torch.rand(2, 1, size, size + SIZE_DIVISOR, size))
    assert marks.shape == (2, 5, size // STRIDE, (size + SIZE_DIVISOR) // STRIDE, size // STRIDE)


def test_an_untrained_network_calls_every_cell_empty():
    marks = CentreNet(**SMALL)(torch.rand(1, 1, 32, 32, 32))
    assert marks[:, HEAT].sigmoid().max() < 0.02
