"""The RetinaNet of the MONAI bundle ``lung_nodule_ct_detection``, with the bundle's weight names.

Lin et al., Focal Loss for Dense Object Detection, 2017. Blocks, pyramid and heads are MONAI's.
Only the module that joins backbone and pyramid is ours: MONAI's own needs torchvision, which has
no CPU build for this version of torch.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector
from monai.apps.detection.networks.retinanet_network import RetinaNet
from monai.apps.detection.utils.anchor_utils import AnchorGeneratorWithAnchorShape
from monai.networks.blocks.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool
from monai.networks.nets.resnet import ResNet, ResNetBottleneck
from torch import nn

from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

SIZE_DIVISOR_XYZ = (16, 16, 8)
"""Strides of the coarsest level; input sizes must be divisible by them."""

STEM_STRIDE_XYZ: Any = (2, 2, 1)  # MONAI accepts one per axis, but declares a single one
STEM_KERNEL = 7

RETINA_GRAPH = GraphSpec((1, 64, 64, 32), divisors=SIZE_DIVISOR_XYZ, outputs=6)
"""For the export as ONNX: logits of three levels, then box offsets of three levels."""


@dataclass(frozen=True, slots=True)
class RetinaConfig:
    """Architecture of a RetinaNet and the choice of its boxes; the defaults are the bundle's.

    All sizes are in voxels, along x, y, z of the array that the network receives.

    Attributes:
        stage_channels: Inner width of the two stages of bottlenecks, whose outputs are four times
            as wide.
        stage_blocks: Number of bottlenecks in each stage.
        pyramid_channels: Width of the pyramid and the heads, divisible by 8.
        anchor_shapes_xyz: Anchor boxes of every cell of the finest level.
        anchor_scales: Factors of the anchor shapes at each of the three levels.
        min_score: Boxes with this score or a lower one are dropped.
        max_boxes_per_level: Number of boxes of each level, best first, that enter suppression.
        max_overlap: Intersection over union above which only the better of two boxes is kept.
        max_boxes: Number of boxes after suppression, best first.
        window_xyz: Largest window that the network processes in one piece.
        window_voxels: Largest number of voxels of a window, which bounds memory: the network takes
            about 280 bytes per voxel. Windows are shortened along z to stay below it.
        window_overlap: Fraction of a window that its neighbour covers too; there the outputs are
            averaged.
        inside_search_mask: Whether boxes centred outside the search mask are dropped.
    """

    stage_channels: tuple[int, int] = (64, 128)
    stage_blocks: tuple[int, int] = (3, 4)
    pyramid_channels: int = 256
    anchor_shapes_xyz: tuple[tuple[int, int, int], ...] = ((6, 8, 4), (8, 6, 5), (10, 10, 6))
    anchor_scales: tuple[int, int, int] = (1, 2, 4)
    min_score: float = 0.02
    max_boxes_per_level: int = 1000
    max_overlap: float = 0.22
    max_boxes: int = 300
    window_xyz: tuple[int, int, int] = (512, 512, 192)
    window_voxels: int = 512 * 512 * 56
    window_overlap: float = 0.25
    inside_search_mask: bool = True

    def as_settings(self) -> dict[str, Any]:
        """Returns the settings as a manifest or a training configuration holds them."""
        return asdict(self)


class ResNetPyramid(nn.Module):
    """The first two stages of a 3D ResNet, and a feature pyramid over them with a pooled level.

    Input (batch, 1, x, y, z); output three maps of `out_channels`, at strides (4, 4, 2),
    (8, 8, 4) and (16, 16, 8).

    Args:
        config: Widths and depths of the stages and of the pyramid.
    """

    def __init__(self, config: RetinaConfig) -> None:
        super().__init__()
        backbone = ResNet(
            block=ResNetBottleneck,
            # The last two stages are not used, so they are as small as possible.
            layers=[*config.stage_blocks, 1, 1],
            block_inplanes=[*config.stage_channels, 1, 1],
            n_input_channels=1,
            conv1_t_size=STEM_KERNEL,
            conv1_t_stride=STEM_STRIDE_XYZ,
            feed_forward=False,
        )
        kept = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2")
        self.body = nn.ModuleDict({name: getattr(backbone, name) for name in kept})
        self.fpn = FeaturePyramidNetwork(
            spatial_dims=3,
            in_channels_list=[
                ResNetBottleneck.expansion * width for width in config.stage_channels
            ],
            out_channels=config.pyramid_channels,
            extra_blocks=LastLevelMaxPool(3),
        )
        self.out_channels = config.pyramid_channels

    def forward(self, image: Tensor) -> list[Tensor]:
        """Returns the three levels, finest first."""
        body = self.body
        stem = body["maxpool"](body["act"](body["bn1"](body["conv1"](image))))
        fine = body["layer1"](stem)
        levels = OrderedDict(fine=fine, coarse=body["layer2"](fine))
        return list(self.fpn(levels).values())


def retina_config(settings: Mapping[str, Any]) -> RetinaConfig:
    """Reads the `network` section of a manifest or a training configuration.

    Args:
        settings: Fields of `RetinaConfig`; those that are missing keep the bundle's values.

    Returns:
        The configuration.

    Raises:
        UsageError: A setting is unknown.
    """
    known = {field.name for field in fields(RetinaConfig)}
    unknown = sorted(set(settings) - known)
    if unknown:
        msg = f"network: {unknown[0]!r} is unknown; a retinanet has {', '.join(sorted(known))}"
        raise UsageError(msg)
    return RetinaConfig(**settings)


def retina_net(config: RetinaConfig) -> RetinaNet:
    """Builds the network with random weights.

    Args:
        config: Architecture and anchors; the settings for the choice of boxes are not used.

    Returns:
        The network; for each level it returns a map of logits and one of box offsets.
    """
    return RetinaNet(
        spatial_dims=3,
        num_classes=1,
        num_anchors=len(config.anchor_shapes_xyz),
        feature_extractor=ResNetPyramid(config),
        size_divisible=SIZE_DIVISOR_XYZ,
    )


def anchor_generator(config: RetinaConfig) -> AnchorGeneratorWithAnchorShape:
    """Builds the generator of the anchor boxes to which the network's offsets are relative.

    Args:
        config: Shapes of the anchors and their scale at each level.

    Returns:
        MONAI's generator.
    """
    return AnchorGeneratorWithAnchorShape(config.anchor_scales, config.anchor_shapes_xyz)


def box_detector(network: nn.Module, config: RetinaConfig) -> RetinaNetDetector:
    """Wraps a network in MONAI's detector, which decodes the outputs and selects the boxes.

    Args:
        network: A RetinaNet, or a module with the same outputs and attributes.
        config: Anchors, and the thresholds for the choice of boxes.

    Returns:
        MONAI's detector.
    """
    detector = RetinaNetDetector(network, anchor_generator(config))
    detector.set_box_selector_parameters(
        score_thresh=config.min_score,
        topk_candidates_per_level=config.max_boxes_per_level,
        nms_thresh=config.max_overlap,
        detections_per_img=config.max_boxes,
    )
    return detector
