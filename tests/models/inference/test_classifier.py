from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save

from hounsfield.models.findings import Candidate
from hounsfield.models.inference.classifier import NoduleClassifier
from hounsfield.models.inference.runtimes import torch_network
from hounsfield.models.networks.class_net import ATTRIBUTES, ClassNet, class_logits
from hounsfield.models.store.manifest import Calibration
from hounsfield.models.views.close_and_wide import VIEW_VOXELS
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SMALL = {"close_channels": (2, 2, 2, 3), "wide_channels": (2, 2, 3), "dropout_percent": 50}
SIZE = 80
PLACE = (-40.3, 41.2, 38.9)
CELLS, STRIDE = 10, 4


def a_volume(hu):
    lung = np.full(hu.shape, RIGHT_LUNG, np.uint8)
    return WorkingVolume(hu, lung, lung > 0, np.diag([-1.0, 1.0, 1.0, 1.0]))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ClassNet(**SMALL).eval()


def a_classifier(network, flips=1, **calibration):
    manifest = SimpleNamespace(
        hu_window=(-1000, 400), calibration=Calibration(**calibration), training_distribution=None
    )
    return NoduleClassifier(manifest, network, flips=flips)


def in_torch(network):
    return torch_network(save(network.state_dict()), lambda: ClassNet(**SMALL), threads=1)


def brightness_network(views):
    """Has the stride of the real network; its map for adenocarcinoma is the brightness."""
    maps = np.zeros((len(views), 2, 4, CELLS, CELLS, CELLS), np.float32)
    maps[:, :, 0] = views[..., ::STRIDE, ::STRIDE, ::STRIDE]
    return maps


def noise():
    return np.random.default_rng(0).integers(-1000, 300, (SIZE,) * 3).astype(np.int16)


def test_the_probabilities_follow_from_the_maps_of_both_views_alone(network):
    views = torch.rand(3, 2, *(VIEW_VOXELS,) * 3)
    with torch.inference_mode():
        maps = network(views)
    assert maps.shape == (3, 2, 4 + len(ATTRIBUTES), CELLS, CELLS, CELLS)
    (classification,) = a_classifier(lambda _: maps[:1].numpy(), slope=2.0).classify(
        a_volume(noise()), [Candidate(PLACE, 5.0, 0.5)]
    )
    expected = torch.softmax(2 * class_logits(maps)[0], 0)
    np.testing.assert_allclose(classification.probabilities, expected.numpy(), rtol=1e-5)


def test_the_activation_map_is_the_close_view_s_part_of_the_logits(network):
    (classification,) = a_classifier(in_torch(network), slope=3.0).classify(
        a_volume(noise()), [Candidate(PLACE, 5.0, 0.5)]
    )

    def only_close(views):
        maps = in_torch(network)(views)
        return maps * np.array([1, 0], np.float32)[:, None, None, None, None]

    (close,) = a_classifier(only_close, slope=3.0).classify(
        a_volume(noise()), [Candidate(PLACE, 5.0, 0.5)]
    )
    part = classification.activation_map.activation.mean((1, 2, 3))
    np.testing.assert_allclose(part.sum(), 0, atol=1e-6)
    np.testing.assert_allclose(np.exp(part) / np.exp(part).sum(), close.probabilities, rtol=1e-4)


@pytest.mark.parametrize("flips", [1, 2, 4])
@pytest.mark.parametrize("off_mm", [(0.0, 0.0, 0.0), (-13.0, 6.0, 10.0)])
def test_the_activation_map_is_at_its_place_in_world_coordinates(flips, off_mm):
    spot = np.add(PLACE, off_mm)
    hu = np.full((SIZE,) * 3, -1000, np.int16)
    x, y, z = a_volume(hu).voxel_xyz(spot).round().astype(int)
    hu[z - 3 : z + 4, y - 3 : y + 4, x - 3 : x + 4] = 400
    classifier = a_classifier(brightness_network, flips=flips)
    (classification,) = classifier.classify(a_volume(hu), [Candidate(PLACE, 5.0, 0.5)])
    activation = classification.activation_map.activation[0]
    cells_xyz = np.argwhere(activation > 0.5 * activation.max())[:, ::-1]
    weights = activation[tuple(cells_xyz[:, ::-1].T)]
    affine = classification.activation_map.affine
    centre = affine[:3, :3] @ np.average(cells_xyz, axis=0, weights=weights) + affine[:3, 3]
    assert np.abs(centre - spot).max() < STRIDE / 2


def test_averaging_over_flips_gives_a_mirrored_volume_the_same_probabilities(network):
    hu = noise()
    place = tuple(float(c) for c in a_volume(hu).world_mm((SIZE - 1) / 2 * np.ones(3)))
    candidates = [Candidate(place, 5.0, 0.5)]
    averaged, mirrored = (
        a_classifier(in_torch(network), flips=2).classify(a_volume(side), candidates)[0]
        for side in (hu, np.ascontiguousarray(hu[:, :, ::-1]))
    )
    plain = a_classifier(in_torch(network)).classify(a_volume(hu), candidates)[0]
    np.testing.assert_allclose(averaged.probabilities, mirrored.probabilities, rtol=1e-5)
    assert not np.allclose(averaged.probabilities, plain.probabilities, rtol=1e-5)


def test_the_activation_map_equals_monai_s_grad_cam(network):
    """The gradient of a mean is constant: Grad-CAM is the map without the weights of the cells."""
    from monai.visualize import GradCAM

    whole = torch.nn.Sequential(network, _Logits()).eval()
    views = torch.rand(1, 2, *(VIEW_VOXELS,) * 3)
    cam = GradCAM(whole, target_layers="0.trunks.0.3")
    with torch.inference_mode():
        expected = (network(views)[0, 0, :4] / network.weight).clamp(min=0)
    maps = [cam.compute_map(views, class_idx=k)[0, 0].detach() for k in range(4)]
    np.testing.assert_allclose(CELLS**3 * np.stack(maps), expected, atol=1e-5)
    assert expected.max() > 0.1


class _Logits(torch.nn.Module):
    def forward(self, maps):
        return class_logits(maps)
