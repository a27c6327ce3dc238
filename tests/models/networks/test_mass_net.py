import torch

from hounsfield.models.networks.mass_net import MassNet, _blocks, _unblocked


def test_the_output_is_one_logit_for_every_voxel():
    network = MassNet(channels=(8, 8, 8, 8)).eval()
    image = torch.zeros((2, 3, 32, 16, 48), dtype=torch.int16)
    with torch.inference_mode():
        assert network(image).shape == (2, 1, 32, 16, 48)


def test_voxels_become_channels_and_back_unchanged():
    voxels = torch.arange(2 * 3 * 4 * 6 * 8).reshape(2, 3, 4, 6, 8)
    assert torch.equal(_unblocked(_blocks(voxels)), voxels)
