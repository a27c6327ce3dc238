"""`ReduceNet`: separates nodules from false positives, from a close and a wide view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hounsfield.models.networks.view_trunk import view_trunk

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReduceNet(nn.Module):
    """A residual trunk for each view, and one linear layer over the features of both.

    Input (batch, 2, z, y, x), values 0 to 1, sizes divisible by 8; output (batch,), the logits of a
    nodule in the middle. The names of the modules are those in the weight files.

    Args:
        close_channels: Widths of the close view's stem (full size) and stages (strides 2, 4, 8).
        wide_channels: Widths of the wide view's stem (stride 2) and stages (strides 4 and 8).
        dropout_percent: Percentage of features dropped before the last layer.
    """

    def __init__(
        self,
        *,
        close_channels: Sequence[int] = (16, 24, 32, 48),
        wide_channels: Sequence[int] = (16, 32, 48),
        dropout_percent: int = 20,
    ) -> None:
        super().__init__()
        # Margin and texture are fine detail, so the close view's stem keeps every voxel.
        self.trunks = nn.ModuleList(
            (
                view_trunk(close_channels, strides=[1] + [2] * (len(close_channels) - 1)),
                view_trunk(wide_channels, strides=[2] * len(wide_channels)),
            )
        )
        self.answer = nn.Sequential(
            nn.Dropout(dropout_percent / 100),
            nn.Linear(2 * (close_channels[-1] + wide_channels[-1]), 1),
        )

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """Returns a logit for every candidate; see the class for shapes."""
        features = [
            _whole_and_middle(trunk(views[:, index : index + 1]))
            for index, trunk in enumerate(self.trunks)
        ]
        logits: torch.Tensor = self.answer(torch.cat(features, dim=1))
        return logits.squeeze(1)


def _whole_and_middle(features: torch.Tensor) -> torch.Tensor:
    """Means over all cells and over the middle ones, (batch, 2 channels)."""
    middle = (
        slice(None),
        slice(None),
        *(slice(n // 2 - 1, n // 2 + 1) for n in features.shape[2:]),
    )
    return torch.cat((features.mean((2, 3, 4)), features[middle].mean((2, 3, 4))), dim=1)
