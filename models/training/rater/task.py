"""The malignancy rater's training: material, samples and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.rate_net import RateNet
from hounsfield.models.training.engine.material import read_nodules
from hounsfield.models.training.engine.network import make_network
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.rater.samples import RatingSamples
from hounsfield.models.views.rating import SUSPICION_OUTPUTS, VIEW_CHANNELS, VIEW_VOXELS

if TYPE_CHECKING:
    from torch import Tensor

    from hounsfield.models.training.rater.configuration import RaterTrainingConfig

ATTRIBUTES_WEIGHT = 1.0
"""Weight in the loss of the attributes, which are learnt to make the network see them."""


def rater_task(config: RaterTrainingConfig) -> TrainingTask:
    """Reads the material and builds the task.

    Args:
        config: Training configuration of a rater.

    Returns:
        A `RateNet` with training and validation samples.

    Raises:
        UsageError: The configuration or its material cannot be used.
    """
    optimisation = config.optimisation
    return TrainingTask(
        make_network(RateNet, config.network),
        RatingSamples(
            read_nodules(config.data, "training"),
            config.sampling,
            length=optimisation.steps * optimisation.batch,
            seed=config.seed,
        ),
        RatingSamples(
            read_nodules(config.data, "validation"),
            config.sampling,
            length=optimisation.validation_samples,
            seed=config.seed + 1,
        ),
        rating_loss,
        graph=GraphSpec((VIEW_CHANNELS, VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def rating_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross-entropy of suspicion and attributes with their target probabilities.

    Args:
        logits: (batch, 5), see `RateNet`.
        batch: ``target`` (batch, 4): suspicion, then the attributes; below 0 where not known.

    Returns:
        ``loss`` and its parts ``suspicion`` and ``attributes``.
    """
    target = torch.cat([batch["target"][:, :1]] * (SUSPICION_OUTPUTS - 1) + [batch["target"]], 1)
    each = functional.binary_cross_entropy_with_logits(
        logits, target.clamp(min=0), reduction="none"
    )
    known = (each * (target >= 0)).mean(0)
    suspicion, attributes = known[:SUSPICION_OUTPUTS].sum(), known[SUSPICION_OUTPUTS:].mean()
    return {
        "loss": suspicion + ATTRIBUTES_WEIGHT * attributes,
        "suspicion": suspicion,
        "attributes": attributes,
    }
