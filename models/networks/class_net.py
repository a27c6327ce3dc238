"""`class_net`: MONAI's 3D ResNet at a small size, over the two views of a nodule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monai.networks.nets.resnet import ResNet
from torch import nn

from models.contracts import NoduleClass

if TYPE_CHECKING:
    from collections.abc import Sequence


def class_net(
    *, widths: Sequence[int] = (16, 32, 64, 128), dropout_percent: int = 30
) -> nn.Sequential:
    """Builds the classifier: input (batch, 2, 40, 40, 40), output (batch, 4) logits.

    Args:
        widths: Channels of the four stages, one basic block each.
        dropout_percent: Before the last layer.
    """
    features = ResNet(
        block="basic",
        layers=[1, 1, 1, 1],
        block_inplanes=list(widths),
        n_input_channels=2,
        conv1_t_size=3,
        conv1_t_stride=1,
        feed_forward=False,
    )
    return nn.Sequential(
        features, nn.Dropout(dropout_percent / 100), nn.Linear(widths[-1], len(NoduleClass))
    )
