"""`MassNet`: a small residual U-Net over the chest at 3 mm, which segments masses.

Residual blocks follow He et al., "Deep residual learning for image recognition", CVPR 2016.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDE_HU, NARROW_HU = (-1000.0, 400.0), (-160.0, 240.0)
"""HU that become 0 and 1 in the first two channels: lung to bone, and soft tissues."""

DETAIL_CHANNELS = 8

INITIAL_LOGIT = -3.0
"""Output of the untrained network: masses are rare."""


class MassNet(nn.Module):
    """Input (batch, 3, z, y, x), a `mass_view`; output (batch, 1, z, y, x), logits of a mass.

    Sizes are divisible by 16. Blocks of 2 x 2 x 2 voxels become channels, so that most layers run
    at 6 mm and coarser. Encoder and decoder are residual blocks whose features are added. The last
    layers run at 3 mm beside the image, which keeps the boundary sharp. The names of the modules
    are those in the weight files.

    Args:
        channels: Widths of the levels at 6, 12, 24 and 48 mm.
    """

    def __init__(self, *, channels: Sequence[int] = (24, 48, 80, 112)) -> None:
        super().__init__()
        first = channels[0]
        self.stem = nn.Conv3d(4 * 8, first, 3, padding=1, bias=False)
        finest = nn.Sequential(nn.BatchNorm3d(first), nn.ReLU(inplace=True), _Residual(first))
        coarser = [
            nn.Sequential(
                nn.Conv3d(before, width, 2, stride=2, bias=False),
                nn.BatchNorm3d(width),
                nn.ReLU(inplace=True),
                _Residual(width),
            )
            for before, width in pairwise(channels)
        ]
        self.encoder = nn.ModuleList([finest, *coarser])
        self.lateral = nn.ModuleList(
            nn.Conv3d(coarse, fine, 1, bias=False) for fine, coarse in pairwise(channels)
        )
        self.decoder = nn.ModuleList(_Residual(width) for width in channels[:-1])
        self.detail = nn.Conv3d(first, DETAIL_CHANNELS * 8, 1)
        self.last = nn.Sequential(
            nn.Conv3d(DETAIL_CHANNELS + 4, DETAIL_CHANNELS, 3, padding=1, bias=False),
            nn.BatchNorm3d(DETAIL_CHANNELS),
            nn.ReLU(inplace=True),
            _last_layer(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Returns a logit for every voxel; see the class for shapes."""
        windows = _normalised(image)
        features = self.stem(_blocks(windows))
        levels = []
        for encode in self.encoder:
            features = encode(features)
            levels.append(features)
        for index in range(len(self.decoder) - 1, -1, -1):
            above = nn.functional.interpolate(self.lateral[index](features), scale_factor=2.0)
            features = self.decoder[index](levels[index] + above)
        detail = _unblocked(self.detail(features))
        logits: Tensor = self.last(torch.cat([detail, windows.to(detail.dtype)], dim=1))
        return logits


def _normalised(image: Tensor) -> Tensor:
    """Both HU windows, expected lung and opposite air, each 0 to 1: (batch, 4, z, y, x)."""
    hu = image[:, :1].float()
    windows = [((hu - low) / (high - low)).clamp(0.0, 1.0) for low, high in (WIDE_HU, NARROW_HU)]
    return torch.cat([*windows, image[:, 1:2].float() / 2, image[:, 2:3].float() / 100], dim=1)


def _blocks(voxels: Tensor) -> Tensor:
    """Turns blocks of 2 x 2 x 2 voxels into channels."""
    batch, channels, z, y, x = voxels.shape
    split = voxels.reshape(batch, channels, z // 2, 2, y // 2, 2, x // 2, 2)
    return split.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(
        batch, channels * 8, z // 2, y // 2, x // 2
    )


def _unblocked(features: Tensor) -> Tensor:
    """Turns channels back into blocks of 2 x 2 x 2 voxels."""
    batch, channels, z, y, x = features.shape
    split = features.reshape(batch, channels // 8, 2, 2, 2, z, y, x)
    return split.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, channels // 8, 2 * z, 2 * y, 2 * x)


def _last_layer() -> nn.Conv3d:
    """The last layer, which returns about `INITIAL_LOGIT` before it is trained."""
    layer = nn.Conv3d(DETAIL_CHANNELS, 1, 1)
    assert layer.bias is not None
    nn.init.constant_(layer.bias, INITIAL_LOGIT)
    return layer


class _Residual(nn.Module):
    """Two convolutions, whose output is added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            nn.Conv3d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm3d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.path(features))
