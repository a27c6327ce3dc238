"""`ReduceNet`: tells nodules from what only looks like one, from a close and a wide view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from hounsfield.models.networks.view_trunk import view_trunk

if TYPE_CHECKING:
    from collections.abc import Sequence


class ReduceNet(nn.Module):
    """A residual trunk for each view, close up and around; one linear layer joins what they see.

    Input (batch, 2, z, y, x), values 0 to 1, sizes divisible by 8; output (batch,) logits that
    a nodule is in the middle.

    Args:
        close_channels: Of the stem at full size and the stages at strides 2, 4 and 8, close up.
        wide_channels: Of the stem at stride 2 and the stages at strides 4 and 8, around.
        dropout_percent: Before the last layer.
    """

    def __init__(
        self,
        *,
        close_channels: Sequence[int] = (16, 24, 32, 48),
        wide_channels: Sequence[int] = (16, 32, 48),
        dropout_percent: int = 20,
    ) -> None:
        super().__init__()
        # Margin and texture are fine: their first layer keeps every voxel. Around, it does not.
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
        """Gives a logit for every candidate; see the class for shapes."""
        seen = [
            _whole_and_middle(trunk(views[:, index : index + 1]))
            for index, trunk in enumerate(self.trunks)
        ]
        logits: torch.Tensor = self.answer(torch.cat(seen, dim=1))
        return logits.squeeze(1)


def _whole_and_middle(features: torch.Tensor) -> torch.Tensor:
    """Means over everything, and over the middle cells, where the mark is: (batch, 2 channels)."""
    middle = (
        slice(None),
        slice(None),
        *(slice(n // 2 - 1, n // 2 + 1) for n in features.shape[2:]),
    )
    return torch.cat((features.mean((2, 3, 4)), features[middle].mean((2, 3, 4))), dim=1)
