"""`RateNet`: a small MONAI 3D ResNet over a nodule, beside logistic regression on measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.networks.nets.resnet import ResNet
from torch import nn

from hounsfield.models.views.rating import HU_WINDOW, NODULE_FEATURES, OUTPUTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LUNG_WINDOW, CALCIUM_WINDOW = (-1000.0, 200.0), (-100.0, 500.0)
"""HU that become 0 and 1 in the first two channels of the ResNet's input."""


class RateNet(nn.Module):
    """Input (batch, 6, 24, 24, 24), a `rating_view`; output (batch, 5), logits of `OUTPUTS`.

    One output is a linear function of `NODULE_FEATURES`; the ResNet computes the others from the
    image. The names of the modules are those in the weight files.

    Args:
        widths: Widths of the ResNet's four stages, which have one basic block each.
        dropout_percent: Percentage of features dropped before the ResNet's last layer.
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
        self.seen = nn.Linear(widths[-1], len(OUTPUTS) - 1)
        self.measured = nn.Linear(len(NODULE_FEATURES), 1)

    def forward(self, image: Tensor) -> Tensor:
        """Returns the logits; see the class for shapes."""
        hu, fraction = image[:, :1], image[:, 1:2]
        channels = torch.cat([_window(hu, LUNG_WINDOW), _window(hu, CALCIUM_WINDOW), fraction], 1)
        by_image: Tensor = self.seen(self.dropout(self.features(channels)))
        by_features: Tensor = self.measured(image[:, 2:, 0, 0, 0])
        return torch.cat([by_image[:, :1], by_features, by_image[:, 1:]], 1)


def _window(hu: Tensor, window: tuple[float, float]) -> Tensor:
    """Narrows the window of HU that were scaled by `HU_WINDOW`."""
    low, high = (_normalised(edge) for edge in window)
    return ((hu - low) / (high - low)).clamp(0, 1)


def _normalised(hu: float) -> float:
    low, high = HU_WINDOW
    return (hu - low) / (high - low)
