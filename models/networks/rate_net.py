"""`RateNet`: MONAI's 3D ResNet at a small size over a nodule, beside what is measured on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.networks.nets.resnet import ResNet
from torch import nn

from hounsfield.models.views.rating import ANSWERS, HU_WINDOW, MEASURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LUNG_WINDOW, CALCIUM_WINDOW = (-1000.0, 200.0), (-100.0, 500.0)
"""HU that are 0 and 1 in the two pictures that the ResNet sees."""


class RateNet(nn.Module):
    """Input (batch, 6, 24, 24, 24), a `rating_view`; output (batch, 5), logits of `ANSWERS`.

    A ResNet reads all but one off the picture; that one is a line through what is measured.

    Args:
        widths: Channels of the ResNet's four stages, one basic block each.
        dropout_percent: Before its last layer.
    """

    def __init__(
        self, *, widths: Sequence[int] = (8, 16, 32, 64), dropout_percent: int = 30
    ) -> None:
        super().__init__()
        self.features = ResNet(
            block="basic",
            layers=[1, 1, 1, 1],
            block_inplanes=list(widths),
            n_input_channels=3,
            conv1_t_size=3,
            conv1_t_stride=1,
            feed_forward=False,
        )
        self.dropout = nn.Dropout(dropout_percent / 100)
        self.seen = nn.Linear(widths[-1], len(ANSWERS) - 1)
        self.measured = nn.Linear(len(MEASURES), 1)

    def forward(self, image: Tensor) -> Tensor:
        """Gives the logits."""
        hu, share = image[:, :1], image[:, 1:2]
        picture = torch.cat([_window(hu, LUNG_WINDOW), _window(hu, CALCIUM_WINDOW), share], 1)
        seen: Tensor = self.seen(self.dropout(self.features(picture)))
        measured: Tensor = self.measured(image[:, 2:, 0, 0, 0])
        return torch.cat([seen[:, :1], measured, seen[:, 1:]], 1)


def _window(hu: Tensor, window: tuple[float, float]) -> Tensor:
    low, high = (_normalised(edge) for edge in window)
    return ((hu - low) / (high - low)).clamp(0, 1)


def _normalised(hu: float) -> float:
    low, high = HU_WINDOW
    return (hu - low) / (high - low)
