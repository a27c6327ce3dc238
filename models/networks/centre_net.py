"""`CentreNet`: a light 3D network that detects nodule centres as peaks of a heat-map.

Centres as points on a heat-map follow Zhou et al., "Objects as points", 2019; the pyramid that
brings context back to the fine level follows Lin et al., "Feature pyramid networks for object
detection", CVPR 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.networks.blocks.convolutions import Convolution, ResidualUnit
from torch import nn
from torch.nn import functional

from hounsfield.models.networks.centre_heatmap import OUTPUT_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence


class CentreNet(nn.Module):
    """Convolutional stem, three residual stages, an additive pyramid back to stride 4, a head.

    Input (batch, 1, z, y, x), sizes divisible by 16, values 0 to 1; output
    (batch, 5, z / 4, y / 4, x / 4), laid out as `centre_heatmap` says.

    Args:
        stem_channels: Width of the stem, at stride 2.
        stage_channels: Widths of the stages, at strides 4, 8 and 16.
        pyramid_channels: Width of the pyramid and of the head.
    """

    def __init__(
        self,
        *,
        stem_channels: int = 16,
        stage_channels: Sequence[int] = (40, 80, 112),
        pyramid_channels: int = 64,
    ) -> None:
        super().__init__()
        self.stem = Convolution(
            3, 1, stem_channels, strides=2, kernel_size=5, norm="batch", act="relu"
        )
        widths = [stem_channels, *stage_channels]
        self.stages = nn.ModuleList(
            nn.Sequential(_residual(before, after, strides=2), _residual(after, after, strides=1))
            for before, after in zip(widths, stage_channels, strict=False)
        )
        self.laterals = nn.ModuleList(
            Convolution(3, width, pyramid_channels, kernel_size=1, norm="batch", adn_ordering="N")
            for width in stage_channels
        )
        output = nn.Conv3d(pyramid_channels, OUTPUT_CHANNELS, kernel_size=1)
        nn.init.zeros_(output.weight)
        assert output.bias is not None
        with torch.no_grad():  # nearly every cell is empty: start from a score of 0.01
            output.bias.copy_(torch.tensor([-4.6, 0.0, 0.0, 0.0, 0.0]))
        self.head = nn.Sequential(
            Convolution(3, pyramid_channels, pyramid_channels, norm="batch", act="relu"), output
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Returns heat, offset and size of every cell; see the class for shapes."""
        features = self.stem(image)
        levels = []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        pyramid = self.laterals[-1](levels[-1])
        for lateral, level in zip(self.laterals[-2::-1], levels[-2::-1], strict=True):
            pyramid = lateral(level) + functional.interpolate(pyramid, scale_factor=2.0)
        heatmap: torch.Tensor = self.head(pyramid)
        return heatmap


def _residual(in_channels: int, out_channels: int, *, strides: int) -> ResidualUnit:
    return ResidualUnit(
        3, in_channels, out_channels, strides=strides, subunits=2, norm="batch", act="relu"
    )
