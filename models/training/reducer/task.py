"""The reducer's training: material, samples and loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from monai.losses.focal_loss import FocalLoss

from hounsfield.models.inference.reducer import VIEW_SPACINGS_MM, VIEW_VOXELS
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.reduce_net import ReduceNet
from hounsfield.models.store.folders import model_folder
from hounsfield.models.training.engine.material import (
    held_out_cases,
    read_cases,
    read_nodules,
    require_cases,
    require_nodules,
)
from hounsfield.models.training.engine.network import make_network
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.reducer.mined_candidates import mine_candidates
from hounsfield.models.training.reducer.samples import ReductionSamples

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.splits import Part
    from hounsfield.models.training.reducer.configuration import ReducerTrainingConfig

MAX_PICTURES = 9
BAR_PIXELS = 3
"""Height of the bar below a picture that shows target and prediction."""


def reducer_task(config: ReducerTrainingConfig) -> TrainingTask:
    """Reads the material, runs the detector on it, and builds the task.

    Args:
        config: Training configuration of a reducer; names the detector.

    Returns:
        A `ReduceNet` with training and validation samples.

    Raises:
        UsageError: The configuration or its material cannot be used, or holds no nodule.
        OutputError: The detector's candidates cannot be written to the cache.
    """
    sampling, optimisation = config.sampling, config.optimisation
    training = require_cases(read_cases(config.data, "training"))
    validation = held_out_cases(config.data)
    require_nodules(training, read_nodules(config.data, "training"), part="training")
    require_nodules(validation, read_nodules(config.data, "validation"), part="validation")

    def samples(cases: list[PreparedCase], part: Part, length: int, seed: int) -> ReductionSamples:
        mined = mine_candidates(
            detector_folder(config),
            cases,
            cache=Path(sampling.candidate_cache),
            threads=optimisation.threads,
        )
        crops = read_nodules(config.data, part)
        return ReductionSamples(cases, mined, crops, sampling, length=length, seed=seed)

    loss = FocalLoss(gamma=sampling.focal_power, reduction="none")
    return TrainingTask(
        make_network(ReduceNet, config.network),
        samples(training, "training", optimisation.steps * optimisation.batch, config.seed),
        samples(
            validation,
            "validation",
            optimisation.validation_samples,
            config.seed + 1,
        ),
        lambda logits, batch: reduction_loss(logits, batch, loss),
        pictures=reduction_pictures,
        graph=GraphSpec((len(VIEW_SPACINGS_MM), VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def detector_folder(config: ReducerTrainingConfig) -> Path:
    """Returns the folder of the detector that the reducer belongs to.

    Args:
        config: Names the detector, by name or folder, and the fold.

    Raises:
        UsageError: There is no such model.
    """
    return model_folder(config.sampling.detector.replace("{fold}", str(config.data.fold)))


def reduction_loss(logits: Tensor, batch: dict[str, Tensor], loss: FocalLoss) -> dict[str, Tensor]:
    """Averages the (focal) cross-entropy over the samples that count.

    Args:
        logits: (batch,), the output of `ReduceNet`.
        batch: ``nodule`` and ``weight`` (batch,), 0 or 1; see `ReductionSamples`.
        loss: Focal loss with one value for each sample.

    Returns:
        ``loss``, and ``accuracy`` at a probability of one half.
    """
    target, weight = batch["nodule"], batch["weight"]
    each = loss(logits[:, None], target[:, None]).squeeze(1)
    total = weight.sum().clamp(min=1)
    correct = ((logits > 0) == (target > 0)).float()
    return {"loss": (each * weight).sum() / total, "accuracy": (correct * weight).sum() / total}


def reduction_pictures(batch: dict[str, Tensor], logits: Tensor) -> list[NDArray[np.uint8]]:
    """Makes one picture for each sample: both views, and a bar with target and prediction.

    The left half of the bar is white for a nodule, black for none and grey where the sample does
    not count; the right half is as bright as the predicted score.

    Args:
        batch: ``image`` (batch, 2, z, y, x), ``nodule`` and ``weight`` (batch,).
        logits: (batch,), the output of `ReduceNet`.

    Returns:
        Grey pictures ``[y, 2 x]``, `MAX_PICTURES` at most.
    """
    pictures = []
    for index in range(min(MAX_PICTURES, len(logits))):
        views = batch["image"][index].float().cpu().numpy()
        middle = np.hstack([view[len(view) // 2] for view in views])
        target = float(batch["nodule"][index]) if batch["weight"][index] > 0 else 0.5
        bar = np.repeat((target, float(logits[index].sigmoid())), middle.shape[1] // 2)
        picture = np.vstack([middle, np.tile(bar, (BAR_PIXELS, 1))])
        pictures.append((picture.clip(0, 1) * 255).astype(np.uint8))
    return pictures
