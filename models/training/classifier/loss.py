"""Losses of the classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from hounsfield.models.networks.class_net import attribute_logits, class_logits

if TYPE_CHECKING:
    from torch import Tensor

ATTRIBUTES_WEIGHT = 4.0
"""Weight of the attributes beside the classes in the loss."""


def classification_loss(maps: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weighted cross-entropy of the classes, and cross-entropy of each known attribute.

    Args:
        maps: (batch, 2, 14, 10, 10, 10), the output of `ClassNet`.
        batch: ``allowed`` (batch, 4), ``weight`` (batch,) and ``attributes`` (batch, 10), the last
            below 0 where they are not known; see `ClassificationSamples`.

    Returns:
        ``loss``, its parts ``classes`` and ``attributes``, and ``accuracy``, the fraction of
        samples that are given a class they may have.
    """
    logits, attributes = class_logits(maps), batch["attributes"]
    accuracy = batch["allowed"].gather(1, logits.argmax(1, keepdim=True)).mean()
    class_loss = partial_label_loss(logits, batch)["loss"]
    each = functional.binary_cross_entropy_with_logits(
        attribute_logits(maps), attributes.clamp(min=0), reduction="none"
    )
    attribute_loss = (each * (attributes >= 0)).mean()
    return {
        "loss": class_loss + ATTRIBUTES_WEIGHT * attribute_loss,
        "classes": class_loss,
        "attributes": attribute_loss,
        "accuracy": accuracy,
    }


def partial_label_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross-entropy for samples that are only known to belong to one of several classes.

    A nodule that is cancer of unknown type allows three of the four classes: the loss is minus
    the logarithm of their joint probability.

    Args:
        logits: (batch, classes), before the softmax.
        batch: ``allowed`` (batch, classes), 1 for each class the sample may have, and ``weight``
            (batch,), the class weight of the sample.

    Returns:
        ``loss``, the weighted mean over the batch.
    """
    log_probabilities = functional.log_softmax(logits.float(), dim=1)
    masked = log_probabilities.masked_fill(batch["allowed"] == 0, -torch.inf)
    loss = -(masked.logsumexp(1) * batch["weight"]).sum() / batch["weight"].sum()
    return {"loss": loss}
