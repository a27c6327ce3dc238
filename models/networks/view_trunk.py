"""Feature extractor for one view of a place: a stem and residual stages of MONAI blocks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from monai.networks.blocks.convolutions import Convolution, ResidualUnit
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence


def view_trunk(
    channels: Sequence[int], *, strides: Sequence[int], image_channels: int = 1
) -> nn.Sequential:
    """Builds a stem and residual stages.

    Input (batch, image_channels, z, y, x); output (batch, channels[-1], z / s, y / s, x / s), where
    s is the product of the strides. Cell i of the output is centred at voxel s x i of the view.

    Args:
        channels: Output widths of the stem and of each stage.
        strides: Strides of the stem and of each stage, as many as there are widths.
        image_channels: Number of channels of the view, such as HU windows.

    Returns:
        The network with random weights.
    """
    stem = Convolution(
        3, image_channels, channels[0], strides=strides[0], kernel_size=3, norm="batch", act="relu"
    )
    stages = (
        ResidualUnit(
            3, in_channels, out_channels, strides=stride, subunits=2, norm="batch", act="relu"
        )
        for (in_channels, out_channels), stride in zip(pairwise(channels), strides[1:], strict=True)
    )
    return nn.Sequential(stem, *stages)
