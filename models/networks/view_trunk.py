"""What reads one view of a place: a stem and residual stages, of MONAI's blocks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from monai.networks.blocks.convolutions import Convolution, ResidualUnit
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence


def view_trunk(
    channels: Sequence[int], *, strides: Sequence[int], pictures: int = 1
) -> nn.Sequential:
    """From (batch, pictures, z, y, x) to (batch, channels[-1], z / s, y / s, x / s).

    Cell i of the answer has its centre at voxel s x i of the view; s is the product of strides.

    Args:
        channels: Of the stem and of each stage.
        strides: As many.
        pictures: Of the view, each a channel.
    """
    stem = Convolution(
        3, pictures, channels[0], strides=strides[0], kernel_size=3, norm="batch", act="relu"
    )
    stages = (
        ResidualUnit(3, before, after, strides=stride, subunits=2, norm="batch", act="relu")
        for (before, after), stride in zip(pairwise(channels), strides[1:], strict=True)
    )
    return nn.Sequential(stem, *stages)
