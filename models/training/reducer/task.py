"""The reducer's training: its material, its samples and its loss, put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from monai.losses.focal_loss import FocalLoss

from hounsfield.models.inference.reducer import VIEW_SPACINGS_MM, VIEW_VOXELS
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.reduce_net import ReduceNet
from hounsfield.models.store.folders import model_folder
from hounsfield.models.training.detector.task import held_out_cases
from hounsfield.models.training.engine.loop import Task
from hounsfield.models.training.engine.material import read_cases, read_nodules
from hounsfield.models.training.reducer.mined_candidates import mine_candidates
from hounsfield.models.training.reducer.samples import ReducerSamplingConfig, ReductionSamples
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.splits import Part
    from hounsfield.models.training.engine.configuration import TrainingConfig

MAX_PICTURES = 9


def reducer_task(config: TrainingConfig) -> Task:
    """Reads the material, lets the detector mark it, and builds the task.

    Raises:
        UsageError: The recipe or its material cannot be used.
        OutputError: The detector's marks cannot be kept.
    """
    plan, optimisation = reduction_plan(config), config.optimisation
    training = read_cases(config.data, "training")
    if not training:
        msg = "data.cases must hold series in the training folds"
        raise UsageError(msg)

    def samples(cases: list[PreparedCase], part: Part, length: int, seed: int) -> ReductionSamples:
        mined = mine_candidates(
            own_detector(config),
            cases,
            cache=Path(plan.mined_in),
            threads=optimisation.threads,
        )
        crops = read_nodules(config.data, part)
        return ReductionSamples(cases, mined, crops, plan, length=length, seed=seed)

    loss = FocalLoss(gamma=plan.focal_power, reduction="none")
    return Task(
        ReduceNet(**config.network),
        samples(training, "training", optimisation.steps * optimisation.batch, config.seed),
        samples(
            held_out_cases(config.data),
            "validation",
            optimisation.validation_samples,
            config.seed + 1,
        ),
        lambda logits, batch: reduction_loss(logits, batch, loss),
        pictures=reduction_pictures,
        graph=GraphSpec((len(VIEW_SPACINGS_MM), VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def reduction_plan(config: TrainingConfig) -> ReducerSamplingConfig:
    """The recipe's numbers.

    Raises:
        UsageError: One is not known, or one that is needed is missing.
    """
    try:
        return ReducerSamplingConfig(
            **{**config.sampling, "hu_window": tuple(config.sampling["hu_window"])}
        )
    except (KeyError, TypeError) as error:
        msg = (
            f"sampling: {error}; a reducer's recipe tells detector, mined_in, hu_window and "
            "fields of ReducerSamplingConfig"
        )
        raise UsageError(msg) from error


def own_detector(config: TrainingConfig) -> Path:
    """The folder of the detector that the reducer belongs to.

    Raises:
        UsageError: There is none.
    """
    return model_folder(reduction_plan(config).detector.replace("{fold}", str(config.data.fold)))


def reduction_loss(logits: Tensor, batch: dict[str, Tensor], loss: FocalLoss) -> dict[str, Tensor]:
    """Mean (focal) cross-entropy of the samples that count, and the part that is judged right.

    Args:
        logits: (batch,), output of `ReduceNet`.
        batch: ``nodule`` and ``weight`` (batch,); see `ReductionSamples`.
        loss: Of each sample.
    """
    wanted, weight = batch["nodule"], batch["weight"]
    each = loss(logits[:, None], wanted[:, None]).squeeze(1)
    total = weight.sum().clamp(min=1)
    right = ((logits > 0) == (wanted > 0)).float()
    return {"loss": (each * weight).sum() / total, "right": (right * weight).sum() / total}


def reduction_pictures(batch: dict[str, Tensor], logits: Tensor) -> list[NDArray[np.uint8]]:
    """One picture a sample: both views through the middle, under them what is wanted and said.

    The left half of the bar is white for a nodule, black for none and grey where it does not
    count; the right half is as bright as the score.
    """
    pictures = []
    for index in range(min(MAX_PICTURES, len(logits))):
        views = batch["image"][index].float().cpu().numpy()
        middle = np.hstack([view[len(view) // 2] for view in views])
        wanted = float(batch["nodule"][index]) if batch["weight"][index] > 0 else 0.5
        bar = np.repeat((wanted, float(logits[index].sigmoid())), middle.shape[1] // 2)
        picture = np.vstack([middle, np.tile(bar, (3, 1))])
        pictures.append((picture.clip(0, 1) * 255).astype(np.uint8))
    return pictures
