"""`CentreNet`: a light 3D network that marks nodule centres on a heat-map at a quarter of the grid.

Centres as points on a heat-map follow Zhou et al., Objects as Points, 2019; the pyramid that
brings context back to the fine level follows Lin et al., Feature Pyramid Networks, 2017.
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
    (batch, 5, z / 4, y / 4, x / 4).

    Args:
        stem_channels: At stride 2.
        stage_channels: At strides 4, 8 and 16.
        pyramid_channels: Of the pyramid and the head.
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
        answer = nn.Conv3d(pyramid_channels, OUTPUT_CHANNELS, kernel_size=1)
        nn.init.zeros_(answer.weight)
        assert answer.bias is not None
        with torch.no_grad():  # nearly every cell is empty: start from a score of 0.01
            answer.bias.copy_(torch.tensor([-4.6, 0.0, 0.0, 0.0, 0.0]))
        self.head = nn.Sequential(
            Convolution(3, pyramid_channels, pyramid_channels, norm="batch", act="relu"), answer
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Gives heat, offset and size for every cell; see the class for shapes."""
        features = self.stem(image)
        levels = []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        pyramid = self.laterals[-1](levels[-1])
        for lateral, level in zip(self.laterals[-2::-1], levels[-2::-1], strict=True):
            pyramid = lateral(level) + functional.interpolate(pyramid, scale_factor=2.0)
        marks: torch.Tensor = self.head(pyramid)
        return marks


def _residual(before: int, after: int, *, strides: int) -> ResidualUnit:
    return ResidualUnit(3, before, after, strides=strides, subunits=2, norm="batch", act="relu")
