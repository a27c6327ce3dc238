"""Loss of the segmenter, where the target is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.losses.dice import DiceCELoss

if TYPE_CHECKING:
    from torch import Tensor

BACKGROUND_LOGIT = -30.0
"""Logit that replaces the prediction where the target is unknown; its loss and gradient vanish."""


def segmentation_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Dice and cross-entropy (MONAI's `DiceCELoss`) of both segmentations, where they are known.

    Args:
        logits: (batch, 2, z, y, x), the output of `segment_net`.
        batch: ``fraction`` and ``known``, of the same shape.

    Returns:
        ``loss``, its parts ``reader_style`` and ``boundary``, and ``dice`` of voxels that are at
        least half nodule.
    """
    logits, fraction = known_part(logits, batch)
    dice_and_entropy = DiceCELoss(sigmoid=True)
    reader_style = dice_and_entropy(logits[:, :1], fraction[:, :1])
    boundary = dice_and_entropy(logits[:, 1:], fraction[:, 1:])
    return {
        "loss": reader_style + boundary,
        "reader_style": reader_style,
        "boundary": boundary,
        "dice": dice_scores(logits, fraction).mean(),
    }


def known_part(logits: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Replaces prediction and target by background where the target is unknown.

    Args:
        logits: (batch, 2, z, y, x), the output of `segment_net`.
        batch: ``fraction`` and ``known``, of the same shape.

    Returns:
        Logits and fraction of nodule, both of the same shape as before.
    """
    known = batch["known"] > 0
    return torch.where(known, logits, BACKGROUND_LOGIT), batch["fraction"] * known


def dice_scores(logits: Tensor, fraction: Tensor) -> Tensor:
    """Computes the Dice coefficient of each segmentation that holds any nodule.

    Args:
        logits: (batch, 2, z, y, x), nodule above 0.
        fraction: Target of the same shape, nodule from one half.

    Returns:
        (n,), n at most twice the batch.
    """
    prediction, target = (logits > 0).flatten(2), (fraction >= 0.5).flatten(2)
    both, each = (prediction & target).sum(2), prediction.sum(2) + target.sum(2)
    return 2 * both[each > 0] / each[each > 0]
