"""`segment_net`: a small MONAI U-Net over the view of a candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monai.networks.nets.unet import UNet
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGE_CHANNELS = 2
"""HU in the window, and the ball of the candidate's size; see `models.views.segmentation`."""


def segment_net(
    *, channels: Sequence[int] = (16, 32, 64), residual_units: int = 1
) -> nn.Sequential:
    """Builds the segmenter: input (batch, 2, 32, 32, 32), output (batch, 2, 32, 32, 32) logits.

    The U-Net returns features, and a 1 x 1 x 1 convolution maps them to the two segmentations: the
    U-Net's own last layer would bring a single channel up to the full grid. Residual units after
    Kerfoot et al., "Left-ventricle quantification using residual U-Net", 2018.

    Args:
        channels: Widths of the levels; every level halves the grid of the one above.
        residual_units: Number of convolutions per level, bridged by a sum.

    Returns:
        The network with random weights.
    """
    features = UNet(
        spatial_dims=3,
        in_channels=IMAGE_CHANNELS,
        out_channels=channels[0],
        channels=tuple(channels),
        strides=(2,) * (len(channels) - 1),
        num_res_units=residual_units,
        norm="batch",
        act="relu",
    )
    return nn.Sequential(features, nn.ReLU(), nn.Conv3d(channels[0], 2, kernel_size=1))
