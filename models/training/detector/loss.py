"""Loss of the detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from hounsfield.models.networks.centre_heatmap import HEAT, LOG_DIAMETER, OFFSET

if TYPE_CHECKING:
    from torch import Tensor

FOCAL_POWER, RIM_POWER = 2.0, 4.0
"""Exponents of the focal loss, for wrong scores and for cells near a centre (Law and Deng)."""

REGRESSION_WEIGHT = 0.3
"""Weight of offset and size beside the heat-map in the loss."""


def detection_loss(output: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Penalty-reduced focal loss of the heat-map, and L1 of offset and log size at the centres.

    The focal loss is that of Law and Deng, "CornerNet", ECCV 2018.

    Args:
        output: (batch, 5, z, y, x), the output of `CentreNet`.
        batch: ``heat``, ``weight``, ``sized`` (batch, z, y, x) and ``regression``
            (batch, 4, z, y, x); see `DetectionTarget`.

    Returns:
        ``loss``, the weighted sum, and its parts ``focal`` and ``regression``.
    """
    logit, heat, weight = output[:, HEAT].float(), batch["heat"], batch["weight"]
    centre = (heat == 1).float()
    score = logit.sigmoid()
    hit = centre * (1 - score) ** FOCAL_POWER * functional.logsigmoid(logit)
    miss = (1 - centre) * (1 - heat) ** RIM_POWER * score**FOCAL_POWER
    miss = miss * functional.logsigmoid(-logit)
    count = centre.sum().clamp(min=1)
    focal = -((hit + miss) * weight).sum() / count
    predicted = torch.cat(
        (output[:, OFFSET], output[:, LOG_DIAMETER : LOG_DIAMETER + 1]), 1
    ).float()
    error = (predicted - batch["regression"]).abs().sum(1)
    sized = batch["sized"]
    regression = (error * sized).sum() / sized.sum().clamp(min=1)
    return {
        "loss": focal + REGRESSION_WEIGHT * regression,
        "focal": focal,
        "regression": regression,
    }
