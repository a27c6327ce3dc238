"""The RetinaNet of the MONAI bundle ``lung_nodule_ct_detection``, under the bundle's own names.

Lin et al., Focal Loss for Dense Object Detection, 2017. Blocks, pyramid and heads are MONAI's.
Only the module that joins backbone and pyramid is ours: MONAI's asks torchvision for it, which has
no CPU build beside this torch.
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

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

SIZE_DIVISOR_XYZ = (16, 16, 8)
"""Input sizes must be divisible by these; so coarse is the coarsest level."""

STEM_STRIDE_XYZ: Any = (2, 2, 1)  # MONAI takes one for each axis, but declares a single one
STEM_KERNEL = 7


@dataclass(frozen=True, slots=True)
class RetinaConfig:
    """Everything that a RetinaNet is built and read with; as it stands here, it is the bundle's.

    All sizes are in voxels, along x, y, z of the array that the network sees.

    Attributes:
        stage_channels: Inner width of the two stages of bottlenecks; each gives four times that.
        stage_blocks: Bottlenecks in each stage.
        pyramid_channels: Of the pyramid and the heads, divisible by 8.
        anchor_shapes_xyz: Boxes that every cell of the finest level proposes.
        anchor_scales: What the shapes are multiplied by at each of the three levels.
        lowest_score: Boxes at or below it are dropped.
        most_boxes_a_level: The best so many of each level go on to suppression.
        largest_overlap: Of two boxes with a larger intersection over union the better is kept.
        most_boxes: As many are given at the most.
        window_xyz: The largest window that is looked at in one piece.
        window_voxels: The most voxels of a window, which bounds memory: the network takes some
            280 bytes a voxel. Windows are cut along z until they hold no more.
        window_overlap: How much of a window neighbours share; their outputs are averaged there.
        inside_search_mask: Whether a box centred outside the search mask is dropped.
    """

    stage_channels: tuple[int, int] = (64, 128)
    stage_blocks: tuple[int, int] = (3, 4)
    pyramid_channels: int = 256
    anchor_shapes_xyz: tuple[tuple[int, int, int], ...] = ((6, 8, 4), (8, 6, 5), (10, 10, 6))
    anchor_scales: tuple[int, int, int] = (1, 2, 4)
    lowest_score: float = 0.02
    most_boxes_a_level: int = 1000
    largest_overlap: float = 0.22
    most_boxes: int = 300
    window_xyz: tuple[int, int, int] = (512, 512, 192)
    window_voxels: int = 512 * 512 * 56
    window_overlap: float = 0.25
    inside_search_mask: bool = True

    def as_settings(self) -> dict[str, Any]:
        """The `network` of a manifest or a recipe."""
        return asdict(self)


class ResNetPyramid(nn.Module):
    """The first two stages of a 3D ResNet, and a feature pyramid over them with a pooled level.

    Input (batch, 1, x, y, z); output three maps of `out_channels`, at strides (4, 4, 2),
    (8, 8, 4) and (16, 16, 8).
    """

    def __init__(self, plan: RetinaConfig) -> None:
        super().__init__()
        backbone = ResNet(
            block=ResNetBottleneck,
            # The last two stages are not used, so they are made as small as they can be.
            layers=[*plan.stage_blocks, 1, 1],
            block_inplanes=[*plan.stage_channels, 1, 1],
            n_input_channels=1,
            conv1_t_size=STEM_KERNEL,
            conv1_t_stride=STEM_STRIDE_XYZ,
            feed_forward=False,
        )
        kept = ("conv1", "bn1", "act", "maxpool", "layer1", "layer2")
        self.body = nn.ModuleDict({name: getattr(backbone, name) for name in kept})
        self.fpn = FeaturePyramidNetwork(
            spatial_dims=3,
            in_channels_list=[ResNetBottleneck.expansion * width for width in plan.stage_channels],
            out_channels=plan.pyramid_channels,
            extra_blocks=LastLevelMaxPool(3),
        )
        self.out_channels = plan.pyramid_channels

    def forward(self, image: Tensor) -> list[Tensor]:
        """Gives the three levels, finest first."""
        body = self.body
        stem = body["maxpool"](body["act"](body["bn1"](body["conv1"](image))))
        fine = body["layer1"](stem)
        levels = OrderedDict(fine=fine, coarse=body["layer2"](fine))
        return list(self.fpn(levels).values())


def retina_plan(settings: Mapping[str, Any]) -> RetinaConfig:
    """Reads the `network` of a manifest or a recipe; what it does not say is as in the bundle.

    Raises:
        UsageError: A setting is not known.
    """
    known = {field.name for field in fields(RetinaConfig)}
    unknown = sorted(set(settings) - known)
    if unknown:
        msg = f"network: {unknown[0]!r} is not known; a retinanet has {', '.join(sorted(known))}"
        raise UsageError(msg)
    return RetinaConfig(**settings)


def retina_net(plan: RetinaConfig) -> RetinaNet:
    """Builds the network: for each level a map of logits and one of box offsets."""
    return RetinaNet(
        spatial_dims=3,
        num_classes=1,
        num_anchors=len(plan.anchor_shapes_xyz),
        feature_extractor=ResNetPyramid(plan),
        size_divisible=SIZE_DIVISOR_XYZ,
    )


def anchors_of(plan: RetinaConfig) -> AnchorGeneratorWithAnchorShape:
    """The boxes that the network's offsets are told from."""
    return AnchorGeneratorWithAnchorShape(plan.anchor_scales, plan.anchor_shapes_xyz)


def boxes_of(network: nn.Module, plan: RetinaConfig) -> RetinaNetDetector:
    """MONAI's detector around a network: anchors, their decoding, the choice of boxes."""
    detector = RetinaNetDetector(network, anchors_of(plan))
    detector.set_box_selector_parameters(
        score_thresh=plan.lowest_score,
        topk_candidates_per_level=plan.most_boxes_a_level,
        nms_thresh=plan.largest_overlap,
        detections_per_img=plan.most_boxes,
    )
    return detector
