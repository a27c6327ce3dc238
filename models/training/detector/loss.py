"""Losses of the detector and the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from hounsfield.models.networks.centre_heatmap import HEAT, LOG_DIAMETER, OFFSET

if TYPE_CHECKING:
    from torch import Tensor

FOCAL_POWER, RIM_POWER, REGRESSION_WEIGHT = 2.0, 4.0, 0.3


def detection_loss(marks: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Penalty-reduced focal loss on the heat-map, and L1 on offset and log size at the centres.

    The focal loss is that of Law and Deng, CornerNet, 2018, with powers 2 and 4.

    Args:
        marks: (batch, 5, z, y, x), output of `CentreNet`.
        batch: ``heat``, ``weight``, ``sized`` (batch, z, y, x) and ``regression``
            (batch, 4, z, y, x); see `DetectionTarget`.

    Returns:
        ``loss``, the sum that is minimised, and its parts.
    """
    logit, heat, weight = marks[:, HEAT].float(), batch["heat"], batch["weight"]
    centre = (heat == 1).float()
    score = logit.sigmoid()
    hit = centre * (1 - score) ** FOCAL_POWER * functional.logsigmoid(logit)
    miss = (1 - centre) * (1 - heat) ** RIM_POWER * score**FOCAL_POWER
    miss = miss * functional.logsigmoid(-logit)
    count = centre.sum().clamp(min=1)
    focal = -((hit + miss) * weight).sum() / count
    predicted = torch.cat((marks[:, OFFSET], marks[:, LOG_DIAMETER : LOG_DIAMETER + 1]), 1).float()
    off = (predicted - batch["regression"]).abs().sum(1)
    sized = batch["sized"]
    regression = (off * sized).sum() / sized.sum().clamp(min=1)
    return {
        "loss": focal + REGRESSION_WEIGHT * regression,
        "focal": focal,
        "regression": regression,
    }


def partial_label_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross-entropy where a sample may only be known to lie among several classes.

    A nodule that is cancer of unknown type allows three of the four classes: the loss is minus
    the log of the probability that they have together.

    Args:
        logits: (batch, classes).
        batch: ``allowed`` (batch, classes), 1 for each class the sample may be, and ``weight``
            (batch,), the class weight of the sample.
    """
    log_probabilities = functional.log_softmax(logits.float(), dim=1)
    masked = log_probabilities.masked_fill(batch["allowed"] == 0, -torch.inf)
    loss = -(masked.logsumexp(1) * batch["weight"]).sum() / batch["weight"].sum()
    return {"loss": loss}
