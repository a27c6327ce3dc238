"""The malignancy rater's training: material, samples and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.rate_net import RateNet
from hounsfield.models.training.engine.material import read_nodules, require_nodules
from hounsfield.models.training.engine.network import make_network
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.rater.samples import RatingSamples, is_suspicious
from hounsfield.models.views.rating import SUSPICION_OUTPUTS, VIEW_CHANNELS, VIEW_VOXELS
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.data.prepared.splits import Part
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
        UsageError: The configuration or its material cannot be used, or readers suspect all of
            its nodules, or none.
    """
    optimisation = config.optimisation
    nodules, held_out = (read_nodules(config.data, part) for part in ("training", "validation"))
    require_nodules((), nodules, part="training")
    require_nodules((), held_out, part="validation")
    _require_both_ratings(nodules, part="training")
    _require_both_ratings(held_out, part="validation")
    return TrainingTask(
        make_network(RateNet, config.network),
        RatingSamples(
            nodules,
            config.sampling,
            length=optimisation.steps * optimisation.batch,
            seed=config.seed,
        ),
        RatingSamples(
            held_out,
            config.sampling,
            length=optimisation.validation_samples,
            seed=config.seed + 1,
        ),
        rating_loss,
        graph=GraphSpec((VIEW_CHANNELS, VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def _require_both_ratings(nodules: Sequence[NoduleCrop], *, part: Part) -> None:
    """Refuses nodules that readers suspect all, or none of: nothing separates them."""
    suspicions = [is_suspicious(nodule.finding) for nodule in nodules]
    if not {True, False} <= set(suspicions):
        msg = (
            f"a rater needs nodules rated 4 or 5 for malignancy and others rated 1 or 2 in the "
            f"{part} part, got {suspicions.count(True)} and {suspicions.count(False)} among "
            f"{len(nodules)}; name more in data.nodules, or choose another data.fold"
        )
        raise UsageError(msg)


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
