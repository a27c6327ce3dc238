"""The mass detector's loss: weighted cross-entropy and Dice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from hounsfield.models.training.masses.samples import OUTSIDE
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS
from hounsfield.preprocessing.lungs.segment import VOXEL_ML

if TYPE_CHECKING:
    from torch import Tensor

OUTSIDE_WEIGHT = 0.1
"""Voxels that the detector never segments count little, such as those of liver and spine."""

MASS_WEIGHT, ENTROPY_WEIGHT = 3.0, 4.0

DICE_SMOOTHING_VOXELS = 200.0
"""5.4 ml: the Dice loss of a crop without a mass is one half where this much is segmented."""

MIN_DICE_VOXELS = 1000
"""Crops with less mass, 27 ml, are left out of the reported Dice."""


def mass_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Computes weighted cross-entropy plus the soft Dice loss of each crop.

    Milletari et al., "V-Net: fully convolutional neural networks for volumetric medical image
    segmentation", 3DV 2016.

    Args:
        logits: (crops, 1, z, y, x), the output of `MassNet`.
        batch: ``labels``, uint8 (crops, z, y, x): 0, `MASS`, `OUTSIDE` or `IGNORED`.

    Returns:
        ``loss``, its parts ``entropy`` and ``dice_loss``, and for information ``dice`` (at a
        probability of one half) and ``false_ml`` (millilitres segmented outside masses, per crop).
    """
    labels = batch["labels"]
    output = logits[:, 0]
    target = (labels == MASS).float()
    weight = torch.ones_like(output)
    weight[labels == OUTSIDE] = OUTSIDE_WEIGHT
    weight[labels == IGNORED] = 0.0
    entropy = binary_cross_entropy_with_logits(output, target, reduction="none")
    entropy = entropy * weight * (1 + (MASS_WEIGHT - 1) * target)
    entropy = ENTROPY_WEIGHT * entropy.sum() / weight.sum().clamp_min(1.0)
    probability = torch.sigmoid(output) * weight
    both = (probability * target).flatten(1).sum(1)
    total = (probability + target).flatten(1).sum(1)
    overlap = (2 * both + DICE_SMOOTHING_VOXELS) / (total + DICE_SMOOTHING_VOXELS)
    dice_loss = (1 - overlap).mean()
    return {
        "loss": entropy + dice_loss,
        "entropy": entropy,
        "dice_loss": dice_loss,
        "dice": _dice(output, target, weight),
        "false_ml": _false_ml(output, target, weight),
    }


def _dice(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean Dice of the crops with more than `MIN_DICE_VOXELS` of mass; 1 where there is none."""
    segmented = ((output > 0) & (weight > 0)).float()
    both, sizes = (segmented * target).flatten(1).sum(1), target.flatten(1).sum(1)
    score = 2 * both / (segmented.flatten(1).sum(1) + sizes).clamp_min(1.0)
    counted = (sizes > MIN_DICE_VOXELS).float()
    return (score * counted).sum() / counted.sum() if counted.sum() > 0 else output.new_tensor(1.0)


def _false_ml(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Millilitres segmented per crop where there is no mass, voxels that never count left out."""
    false = (output > 0) & (target == 0) & (weight > OUTSIDE_WEIGHT)
    return false.float().flatten(1).sum(1).mean() * VOXEL_ML
