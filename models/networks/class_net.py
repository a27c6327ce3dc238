"""`ClassNet`: what speaks for each class, place by place, in the two views of a nodule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hounsfield.models.contracts import NoduleClass
from hounsfield.models.networks.view_trunk import view_trunk
from hounsfield.models.views.close_and_wide import VIEW_VOXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDE = 4
"""Voxels of a view along the edge of a cell of its evidence map."""

SOFT_TISSUE = (0.6, 0.9)
"""Of a view's values from 0 to 1, what a second picture of it spreads: -160 to 260 HU, where the
recipe's window is -1000 to 400. Dead tissue is 20 HU darker than what lives."""

ATTRIBUTES = (
    "spiculated",
    "lobulated",
    "part-solid",
    "ground glass",
    "calcified",
    "cavitary",
    "necrotic",
    "elongated",
    "at the hilum",
    "at the pleura",
)
"""What is asked beside the classes where it is known, so that the network learns to look."""

SPREAD_VOXELS = 8.0
"""Deviation of the bell by which places near the middle of a view count more."""


class ClassNet(nn.Module):
    """A residual trunk for each view in two windows, and a 1 x 1 x 1 convolution for evidence.

    Input (batch, 2, 40, 40, 40), values 0 to 1; output (batch, 2, 14, 10, 10, 10): for each view
    what each place adds to each of the four classes, then to each of `ATTRIBUTES`. The logit of a
    class is the mean over the places of a view, summed over both views, and nothing else: the maps
    explain it wholly.

    Zhou et al., "Learning deep features for discriminative localization", CVPR 2016, with fixed
    weights: plain means over 40 mm would drown a nodule of 4 mm, which lies in the middle.

    Args:
        close_channels: Of the stem at full size and the stages at strides 2, 4 and 4, close up.
        wide_channels: Of the stem at stride 2 and the stages at stride 4, around.
        dropout_percent: Of whole channels before the last convolution.
    """

    weight: torch.Tensor

    def __init__(
        self,
        *,
        close_channels: Sequence[int] = (12, 24, 32, 48),
        wide_channels: Sequence[int] = (16, 32, 48),
        dropout_percent: int = 20,
    ) -> None:
        super().__init__()
        self.trunks = nn.ModuleList(
            (
                view_trunk(close_channels, strides=(1, 2, 2, 1), pictures=2),
                view_trunk(wide_channels, strides=(2, 2, 1), pictures=2),
            )
        )
        self.dropout = nn.Dropout3d(dropout_percent / 100)
        # Without bias, which would be a bell of evidence that no voxel gave.
        self.evidence = nn.ModuleList(
            nn.Conv3d(channels[-1], len(NoduleClass) + len(ATTRIBUTES), 1, bias=False)
            for channels in (close_channels, wide_channels)
        )
        self.register_buffer("weight", _bell(), persistent=False)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Gives the evidence maps; see the class for shapes."""
        low, high = SOFT_TISSUE
        pictures = torch.stack((views, ((views - low) / (high - low)).clamp(0, 1)), dim=2)
        maps = [
            evidence(self.dropout(trunk(pictures[:, index]))) * self.weight
            for index, (trunk, evidence) in enumerate(zip(self.trunks, self.evidence, strict=True))
        ]
        return torch.stack(maps, dim=1)


def class_logits(maps: torch.Tensor) -> torch.Tensor:
    """The logits (batch, 4) that evidence maps stand for."""
    return maps[:, :, : len(NoduleClass)].mean((3, 4, 5)).sum(1)


def attribute_logits(maps: torch.Tensor) -> torch.Tensor:
    """The logits (batch, 10) of `ATTRIBUTES`."""
    return maps[:, :, len(NoduleClass) :].mean((3, 4, 5)).sum(1)


def _bell() -> torch.Tensor:
    """How much each place counts, 1 in the mean: cell i lies at voxel `STRIDE` x i of the view."""
    away = torch.arange(0, VIEW_VOXELS, STRIDE) - (VIEW_VOXELS - 1) / 2
    line = torch.exp(-((away / SPREAD_VOXELS) ** 2) / 2)
    bell = line[:, None, None] * line[:, None] * line
    return bell / bell.mean()
