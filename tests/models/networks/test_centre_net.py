import torch

from hounsfield.models.networks.centre_heatmap import HEAT, SIZE_DIVISOR, STRIDE
from hounsfield.models.networks.centre_net import CentreNet

SMALL = {"stem_channels": 4, "stage_channels": (6, 8, 10), "pyramid_channels": 8}


def test_the_output_has_five_channels_at_a_quarter_of_the_grid():
    size = 2 * SIZE_DIVISOR
    heatmap = CentreNet(**SMALL)(torch.rand(2, 1, size, size + SIZE_DIVISOR, size))
    assert heatmap.shape == (2, 5, size // STRIDE, (size + SIZE_DIVISOR) // STRIDE, size // STRIDE)


def test_a_network_with_random_weights_scores_every_cell_below_0_02():
    heatmap = CentreNet(**SMALL)(torch.rand(1, 1, 32, 32, 32))
    assert heatmap[:, HEAT].sigmoid().max() < 0.02
