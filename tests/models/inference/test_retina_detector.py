from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.apps.detection.networks import retinanet_network
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from monai.data import MetaTensor
from monai.networks.blocks import backbone_fpn_utils
from monai.networks.nets import resnet
from monai.transforms import Orientation, ScaleIntensityRange
from safetensors.torch import save

from hounsfield.models.inference.retina_detector import RetinaDetector, box_diameters, window_xyz
from hounsfield.models.networks.onnx_graph import network_graph
from hounsfield.models.networks.retina_net import (
    RETINA_GRAPH,
    RetinaConfig,
    retina_config,
    retina_net,
)
from hounsfield.models.store.manifest import Calibration
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SPACING_MM = (0.703125, 0.703125, 1.25)
HU_WINDOW = (-1024.0, 300.0)
BUNDLE = RetinaConfig()
SMALL = RetinaConfig(stage_channels=(4, 8), stage_blocks=(1, 1), pyramid_channels=16)


class LayerGetter(torch.nn.ModuleDict):
    """Stands for torchvision's class: the layers of a network up to the last one requested."""

    def __init__(self, network, return_layers):
        super().__init__()
        self.requested = dict(return_layers)
        missing = set(self.requested)
        for name, layer in network.named_children():
            self[name] = layer
            missing.discard(name)
            if not missing:
                break

    def forward(self, x):
        out = {}
        for name, layer in self.items():
            x = layer(x)
            if name in self.requested:
                out[self.requested[name]] = x
        return out


@pytest.fixture
def bundle_network(monkeypatch):
    """Builds the network as the bundle's own configuration does, from MONAI's parts."""
    stand_in = SimpleNamespace(_utils=SimpleNamespace(IntermediateLayerGetter=LayerGetter))
    monkeypatch.setattr(backbone_fpn_utils, "torchvision_models", stand_in)
    monkeypatch.setattr(retinanet_network, "_validate_trainable_layers", lambda *_, **__: 5)

    def build():
        backbone = resnet.resnet50(
            spatial_dims=3, n_input_channels=1, conv1_t_stride=[2, 2, 1], conv1_t_size=[7, 7, 7]
        )
        features = retinanet_network.resnet_fpn_feature_extractor(backbone, 3, False, [1, 2], None)
        return retinanet_network.RetinaNet(3, 1, 3, features, size_divisible=[16, 16, 8])

    return build


def a_volume(shape_zyx=(20, 40, 50), search=True):
    rng = np.random.default_rng(5)
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = (-100, 50, -30)
    hu = rng.integers(-1100, 400, shape_zyx).astype(np.int16)
    full = np.ones(shape_zyx, bool)
    return WorkingVolume(hu, full.astype(np.uint8) * RIGHT_LUNG, full & search, affine)


def random_weights(network, seed=3):
    """Random weights with which many boxes pass the threshold."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.ndim > 1:
                torch.nn.init.kaiming_normal_(value)
            elif name.endswith("bias"):
                torch.nn.init.normal_(value, std=0.1)
        network.regression_head.bbox_reg.weight.mul_(0.02)
    return network.eval()


def a_detector(config, network, calibration=None, graph=None):
    manifest = SimpleNamespace(
        network=config.as_settings(), hu_window=HU_WINDOW, calibration=calibration or Calibration()
    )
    return RetinaDetector(manifest, save(network.state_dict()), threads=1, graph=graph)


def by_monai(network, volume, *, roi=None):
    """Boxes in world LPS mm and scores by MONAI's own transforms and detector."""
    anchors = AnchorGeneratorWithAnchorShape((1, 2, 4), ((6, 8, 4), (8, 6, 5), (10, 10, 6)))
    detector = RetinaNetDetector(network, anchors).eval()
    detector.set_box_selector_parameters(0.02, 1000, 0.22, 300)
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    image = MetaTensor(
        torch.from_numpy(volume.hu.astype(np.float32).transpose(2, 1, 0))[None],
        affine=torch.from_numpy(lps_to_ras @ volume.affine),
    )
    labels = (("L", "R"), ("P", "A"), ("I", "S"))
    image = Orientation(axcodes="RAS", labels=labels)(image)
    to_world = lps_to_ras @ image.affine.numpy()
    image = ScaleIntensityRange(*HU_WINDOW, 0.0, 1.0, clip=True)(image).as_tensor()
    if roi:
        detector.set_sliding_window_inferer(roi_size=roi, overlap=0.25, mode="constant")
    with torch.inference_mode():
        (detections,) = detector(image.contiguous()[None], use_inferer=roi is not None)
    boxes = detections["boxes"].numpy().astype(np.float64)
    centres = (boxes[:, :3] + boxes[:, 3:]) / 2
    world = centres @ to_world[:3, :3].T + to_world[:3, 3]
    return world, (boxes[:, 3:] - boxes[:, :3]) * SPACING_MM, detections["labels_scores"].numpy()


def assert_same(candidates, expected):
    centres, sides_mm, scores = expected
    assert len(candidates) == len(scores) > 20
    np.testing.assert_allclose([c.score for c in candidates], scores, atol=1e-5)
    np.testing.assert_allclose([c.centre_world_mm for c in candidates], centres, atol=0.01)
    np.testing.assert_allclose(
        [c.diameter_mm for c in candidates], np.cbrt(sides_mm.prod(axis=1)), atol=0.01
    )


def test_the_weights_have_the_names_and_shapes_of_the_bundle(bundle_network):
    with torch.device("meta"):
        expected, ours = bundle_network().state_dict(), retina_net(BUNDLE).state_dict()
    assert len(ours) == 190
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in expected.items()
    }


def test_the_bundle_s_network_returns_the_boxes_of_monai_in_world_coordinates(bundle_network):
    network = random_weights(bundle_network())
    volume = a_volume((16, 40, 50))  # padded to 16 x 48 x 64
    assert_same(a_detector(BUNDLE, network).detect(volume), by_monai(network, volume))


def test_openvino_returns_the_boxes_of_torch_with_windows_of_any_size():
    network = random_weights(retina_net(SMALL))
    graph = network_graph(network, RETINA_GRAPH)
    volume = a_volume((75, 90, 70))
    for window in ((512, 512, 192), (64, 64, 32)):
        config = replace(SMALL, window_xyz=window)
        by_torch = a_detector(config, network).detect(volume)
        by_openvino = a_detector(config, network, graph=graph).detect(volume)
        assert len(by_torch) == len(by_openvino) > 20
        for ours, other in zip(by_torch, by_openvino, strict=True):
            assert ours.score == pytest.approx(other.score, abs=1e-5)
            assert ours.centre_world_mm == pytest.approx(other.centre_world_mm, abs=0.01)


def test_boxes_in_windows_are_those_of_monai_s_sliding_window():
    config = replace(SMALL, window_xyz=(64, 64, 32))
    network = random_weights(retina_net(SMALL))
    volume = a_volume((75, 90, 70))
    assert window_xyz((70, 90, 75), config) == (64, 64, 32)
    assert_same(
        a_detector(config, network).detect(volume), by_monai(network, volume, roi=(64, 64, 32))
    )


def test_boxes_centred_outside_the_search_mask_are_dropped_unless_configured():
    network, volume = random_weights(retina_net(SMALL)), a_volume(search=False)
    assert a_detector(SMALL, network).detect(volume) == []
    assert a_detector(replace(SMALL, inside_search_mask=False), network).detect(volume)


def test_calibration_changes_scores_and_keeps_their_order():
    network, volume = random_weights(retina_net(SMALL)), a_volume()
    plain = a_detector(SMALL, network).detect(volume)
    calibrated = a_detector(SMALL, network, Calibration(slope=2.0, intercept=-1.0)).detect(volume)
    assert [c.centre_world_mm for c in calibrated] == [c.centre_world_mm for c in plain]
    odds = plain[0].score / (1 - plain[0].score)
    assert calibrated[0].score == pytest.approx(1 / (1 + np.e / odds**2), abs=1e-6)


def test_a_window_is_bounded_by_its_voxels_and_aligned_with_the_cells():
    for shape in ((512, 512, 400), (430, 330, 230), (400, 300, 60), (97, 33, 5)):
        x, y, z = window_xyz(shape, BUNDLE)
        assert x * y * z <= BUNDLE.window_voxels
        assert z >= shape[2] or (z * 0.75) % 8 == 0
        assert x % 16 == y % 16 == z % 8 == 0


def test_with_the_bundle_s_limits_the_window_is_the_bundle_s():
    as_shipped = replace(BUNDLE, window_voxels=512 * 512 * 192)
    assert window_xyz((512, 512, 300), as_shipped)[:2] == (512, 512)
    assert window_xyz((512, 512, 192), as_shipped) == (512, 512, 192)


def test_the_diameter_of_a_box_is_the_edge_of_the_cube_of_its_volume():
    assert box_diameters(np.array([[0.0, 0, 0, 10, 10, 10]]), (1, 1, 1)) == pytest.approx(10)
    assert box_diameters(np.array([[0.0, 0, 0, 10, 20, 5]]), (1, 0.5, 2)) == pytest.approx(10)


def test_an_unknown_setting_of_the_network_is_refused_by_name():
    with pytest.raises(UsageError, match="'widths' is unknown"):
        retina_config({"widths": [1]})
