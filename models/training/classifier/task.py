"""The classifier's training: its material, its samples and its loss, put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch.nn import functional

from hounsfield.models.networks.class_net import ClassNet, attribute_logits, class_logits
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.store.folders import model_folder
from hounsfield.models.training.classifier.configuration import classification_plan
from hounsfield.models.training.classifier.samples import ClassificationSamples
from hounsfield.models.training.detector.loss import partial_label_loss
from hounsfield.models.training.detector.task import held_out_cases
from hounsfield.models.training.engine.loop import Task
from hounsfield.models.training.engine.material import read_calibration, read_cases, read_nodules
from hounsfield.models.training.reducer.mined_candidates import mine_candidates
from hounsfield.models.views.close_and_wide import VIEW_SPACINGS_MM, VIEW_VOXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.classifier.configuration import ClassifierSamplingConfig
    from hounsfield.models.training.engine.configuration import TrainingConfig

ATTRIBUTES_WEIGHT = 4.0
"""Of what the nodule looks like in the loss."""


def classifier_task(config: TrainingConfig) -> Task:
    """Reads the material, lets the detector mark it, and builds the task.

    Raises:
        UsageError: The recipe or its material cannot be used.
        OutputError: The detector's marks cannot be kept.
    """
    optimisation = config.optimisation
    return Task(
        ClassNet(**config.network),
        training_samples(config, length=optimisation.steps * optimisation.batch),
        held_out_samples(config, length=optimisation.validation_samples),
        classification_loss,
        graph=GraphSpec((len(VIEW_SPACINGS_MM), VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def classification_loss(maps: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weighted cross-entropy of the classes, and a cross-entropy of each look that is known.

    Args:
        maps: Output of `ClassNet`.
        batch: ``allowed`` (batch, 4), ``weight`` (batch,) and ``looks`` (batch, 10), below 0 where
            they are not known; see `ClassificationSamples`.

    Returns:
        ``loss`` and its parts, and ``right``, the part that is given a class it may have.
    """
    logits, looks = class_logits(maps), batch["looks"]
    right = batch["allowed"].gather(1, logits.argmax(1, keepdim=True)).mean()
    classes = partial_label_loss(logits, batch)["loss"]
    each = functional.binary_cross_entropy_with_logits(
        attribute_logits(maps), looks.clamp(min=0), reduction="none"
    )
    look = (each * (looks >= 0)).mean()
    return {
        "loss": classes + ATTRIBUTES_WEIGHT * look,
        "classes": classes,
        "looks": look,
        "right": right,
    }


def training_samples(config: TrainingConfig, *, length: int) -> ClassificationSamples:
    """Samples of the patients and phantoms that are trained on."""
    cases, crops = read_cases(config.data, "training"), read_nodules(config.data, "training")
    return _samples(config, classification_plan(config), cases, crops, length, config.seed)


def held_out_samples(config: TrainingConfig, *, length: int) -> ClassificationSamples:
    """Samples of validation patients in phantoms that are not trained on, and in real lungs."""
    cases, crops = held_out_cases(config.data), read_nodules(config.data, "validation")
    return _samples(config, classification_plan(config), cases, crops, length, config.seed + 1)


def calibration_samples(config: TrainingConfig, *, length: int) -> ClassificationSamples:
    """What is asked of whole series as they lie: their findings, and what a detector marks.

    Raises:
        UsageError: A series that calibrates is of a patient who teaches, or there is none.
    """
    plan = replace(
        classification_plan(config),
        drawn_carcinoma=0.0,
        drawn_benign=0.0,
        nothing=0.0,
        free_turn_share=0.0,
    )
    return _samples(config, plan, read_calibration(config.data), (), length, config.seed + 2)


def _samples(
    config: TrainingConfig,
    plan: ClassifierSamplingConfig,
    cases: Sequence[PreparedCase],
    crops: Sequence[NoduleCrop],
    length: int,
    seed: int,
) -> ClassificationSamples:
    false_marks = _false_marks(config, plan, cases)
    return ClassificationSamples(cases, false_marks, crops, plan, length=length, seed=seed)


def _false_marks(
    config: TrainingConfig, plan: ClassifierSamplingConfig, cases: Sequence[PreparedCase]
) -> list[NDArray[np.float64]]:
    """For each case what the detector and the data set take for a nodule, and is none."""
    if plan.false_marks <= 0:
        return [np.zeros((0, 3)) for _ in cases]
    listed = [
        np.zeros((0, 3))
        if case.candidates is None
        else case.candidates[case.candidates[:, 3] == 0, :3]
        for case in cases
    ]
    if plan.detector is None:
        return listed
    mined = mine_candidates(
        model_folder(plan.detector.replace("{fold}", str(config.data.fold))),
        cases,
        cache=Path(plan.mined_in),
        threads=config.optimisation.threads,
    )
    return [np.concatenate(both) for both in zip(listed, mined, strict=True)]
