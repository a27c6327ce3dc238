"""`RateNet`: MONAI's 3D ResNet at a small size over a nodule, beside what is measured on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.networks.nets.resnet import ResNet
from torch import nn
from torch.nn import functional

from models.rating_view import HU_WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

LUNG_WINDOW, CALCIUM_WINDOW = (-1000.0, 200.0), (-100.0, 500.0)
"""HU that are 0 and 1 in the two pictures that the ResNet sees."""

CALCIUM_FROM_HU, SOLID_FROM_HU = 200.0, -300.0

MEASURED = 6

ANSWERS = ("suspicious", "spiculated", "solid", "calcified")
"""Channels of the output. What the nodule looks like is asked too, to teach what to look for."""


class RateNet(nn.Module):
    """Input (batch, 3, 24, 24, 24), a `rating_view`; output (batch, 4), logits of `ANSWERS`.

    The first logit is the sum of what the ResNet reads off the picture and of a line through what
    is measured within the outlines: the logarithm of the volume, mean and deviation of HU, the
    parts that are calcified and not solid, and the densest place.

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
        self.seen = nn.Linear(widths[-1], len(ANSWERS))
        self.measured = nn.Linear(MEASURED, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Gives the logits."""
        hu, share = image[:, :1], image[:, 1:2]
        picture = torch.cat([_window(hu, LUNG_WINDOW), _window(hu, CALCIUM_WINDOW), share], 1)
        seen: Tensor = self.seen(self.dropout(self.features(picture)))
        measured: Tensor = self.measured(measurements(image))
        return torch.cat([seen[:, :1] + measured, seen[:, 1:]], 1)


def measurements(image: Tensor) -> Tensor:
    """What is measured on a view, each brought to a spread of about one.

    Args:
        image: (batch, 3, 24, 24, 24).

    Returns:
        (batch, 6).
    """
    hu, share = image[:, 0], image[:, 1]
    axes = (1, 2, 3)
    voxels = share.sum(axes) + 1
    weight = share / voxels[:, None, None, None]
    smooth = functional.avg_pool3d(hu[:, None], 3, stride=1, padding=1)[:, 0]
    mean = (hu * weight).sum(axes)
    variance = ((hu - mean[:, None, None, None]) ** 2 * weight).sum(axes)
    calcified = (torch.sigmoid(40 * (smooth - _normalised(CALCIUM_FROM_HU))) * weight).sum(axes)
    not_solid = (torch.sigmoid(20 * (_normalised(SOLID_FROM_HU) - smooth)) * weight).sum(axes)
    densest = (smooth * (share > 0.5)).amax(axes).clamp(max=_normalised(600.0))
    return torch.stack(
        [
            (voxels.log() + 3 * image[:, 2, 0, 0, 0] - 6) / 1.5,
            6 * (mean - 0.4),
            12 * ((variance + 1e-6).sqrt() - 0.1),
            3 * calcified,
            3 * (not_solid - 0.3),
            6 * (densest - 0.55),
        ],
        dim=1,
    )


def _window(hu: Tensor, window: tuple[float, float]) -> Tensor:
    low, high = (_normalised(edge) for edge in window)
    return ((hu - low) / (high - low)).clamp(0, 1)


def _normalised(hu: float) -> float:
    low, high = HU_WINDOW
    return (hu - low) / (high - low)
