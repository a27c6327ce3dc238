"""`ClassNet`: class activation maps of the two views of a nodule, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hounsfield.models.findings import NoduleClass
from hounsfield.models.networks.view_trunk import view_trunk
from hounsfield.models.views.close_and_wide import VIEW_VOXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

STRIDE = 4
"""Voxels of a view along the edge of a cell of its activation map."""

SOFT_TISSUE = (0.6, 0.9)
"""Window of the second input channel, in a view's values from 0 to 1: -160 to 260 HU, where the
manifest's window is -1000 to 400. Necrotic tissue is only 20 HU darker than viable tumour."""

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
"""Auxiliary outputs beside the classes, trained where they are known, so that the network learns
the features on which radiologists rely."""

SPREAD_VOXELS = 8.0
"""Standard deviation of the Gaussian that weights cells near the middle of a view more."""


class ClassNet(nn.Module):
    """A residual trunk per view, with two HU windows as channels, and a 1 x 1 x 1 convolution.

    Input (batch, 2, 40, 40, 40), values 0 to 1; output (batch, 2, 14, 10, 10, 10): for each view
    the contribution of each cell to the four classes, then to `ATTRIBUTES`. The logit of a class is
    the mean over the cells of a view, summed over both views: the maps explain it completely.

    Class activation maps after Zhou et al., "Learning deep features for discriminative
    localization", CVPR 2016, with fixed weights of the cells: in a plain mean over 40 mm a nodule
    of 4 mm in the middle would hardly count.

    The names of the modules are those in the weight files.

    Args:
        close_channels: Widths of the close view's stem (full size) and stages (strides 2, 4, 4).
        wide_channels: Widths of the wide view's stem (stride 2) and stages (stride 4).
        dropout_percent: Percentage of whole channels dropped before the last convolution.
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
                view_trunk(close_channels, strides=(1, 2, 2, 1), image_channels=2),
                view_trunk(wide_channels, strides=(2, 2, 1), image_channels=2),
            )
        )
        self.dropout = nn.Dropout3d(dropout_percent / 100)
        # Without bias, which would add a Gaussian to the map that no voxel caused.
        self.evidence = nn.ModuleList(
            nn.Conv3d(channels[-1], len(NoduleClass) + len(ATTRIBUTES), 1, bias=False)
            for channels in (close_channels, wide_channels)
        )
        self.register_buffer("weight", _cell_weights(), persistent=False)

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Returns the activation maps; see the class for shapes."""
        low, high = SOFT_TISSUE
        windows = torch.stack((views, ((views - low) / (high - low)).clamp(0, 1)), dim=2)
        maps = [
            evidence(self.dropout(trunk(windows[:, index]))) * self.weight
            for index, (trunk, evidence) in enumerate(zip(self.trunks, self.evidence, strict=True))
        ]
        return torch.stack(maps, dim=1)


def class_logits(maps: torch.Tensor) -> torch.Tensor:
    """Computes the class logits from activation maps.

    Args:
        maps: Output of `ClassNet`, (batch, views, 14, z, y, x).

    Returns:
        (batch, 4), in the order of `NoduleClass`.
    """
    return maps[:, :, : len(NoduleClass)].mean((3, 4, 5)).sum(1)


def attribute_logits(maps: torch.Tensor) -> torch.Tensor:
    """Computes the logits of the auxiliary outputs from activation maps.

    Args:
        maps: Output of `ClassNet`, (batch, views, 14, z, y, x).

    Returns:
        (batch, 10), in the order of `ATTRIBUTES`.
    """
    return maps[:, :, len(NoduleClass) :].mean((3, 4, 5)).sum(1)


def _cell_weights() -> torch.Tensor:
    """Gaussian weights of the cells, 1 on average; cell i lies at voxel `STRIDE` x i of a view."""
    away = torch.arange(0, VIEW_VOXELS, STRIDE) - (VIEW_VOXELS - 1) / 2
    line = torch.exp(-((away / SPREAD_VOXELS) ** 2) / 2)
    weights = line[:, None, None] * line[:, None] * line
    return weights / weights.mean()
