"""The classifier's training: material, samples and loss."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.networks.class_net import ClassNet
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.store.folders import model_folder
from hounsfield.models.training.classifier.loss import classification_loss
from hounsfield.models.training.classifier.samples import ClassificationSamples
from hounsfield.models.training.engine.material import (
    held_out_cases,
    read_calibration,
    read_cases,
    read_nodules,
)
from hounsfield.models.training.engine.network import make_network
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.reducer.mined_candidates import mine_candidates
from hounsfield.models.views.close_and_wide import VIEW_SPACINGS_MM, VIEW_VOXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.training.classifier.configuration import ClassifierTrainingConfig


def classifier_task(config: ClassifierTrainingConfig) -> TrainingTask:
    """Reads the material, runs the detector on it, and builds the task.

    Args:
        config: Training configuration of a classifier.

    Returns:
        A `ClassNet` with training and validation samples.

    Raises:
        UsageError: The configuration or its material cannot be used, or shows one class only.
        OutputError: The detector's candidates cannot be written to the cache.
    """
    optimisation = config.optimisation
    training = training_samples(config, length=optimisation.steps * optimisation.batch)
    held_out = held_out_samples(config, length=optimisation.validation_samples)
    training.require_two_classes()
    return TrainingTask(
        make_network(ClassNet, config.network),
        training,
        held_out,
        classification_loss,
        graph=GraphSpec((len(VIEW_SPACINGS_MM), VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def training_samples(config: ClassifierTrainingConfig, *, length: int) -> ClassificationSamples:
    """Samples from the patients and phantoms of the training folds.

    Args:
        config: Training configuration of a classifier.
        length: Number of samples in the data set.

    Returns:
        Samples that depend on the configuration's seed.
    """
    cases, crops = read_cases(config.data, "training"), read_nodules(config.data, "training")
    return ClassificationSamples(
        cases,
        _false_positives(config, cases),
        crops,
        config.sampling,
        length=length,
        seed=config.seed,
    )


def held_out_samples(config: ClassifierTrainingConfig, *, length: int) -> ClassificationSamples:
    """Samples nodules of validation patients, in phantoms not trained on and in real lungs.

    Args:
        config: Training configuration of a classifier.
        length: Number of samples in the data set.

    Returns:
        Samples that depend on the configuration's seed.
    """
    cases, crops = held_out_cases(config.data), read_nodules(config.data, "validation")
    return ClassificationSamples(
        cases,
        _false_positives(config, cases),
        crops,
        config.sampling,
        length=length,
        seed=config.seed + 1,
    )


def calibration_samples(config: ClassifierTrainingConfig, *, length: int) -> ClassificationSamples:
    """Samples from the calibration series as they are: findings and false positives, none added.

    Args:
        config: Training configuration of a classifier, with `data.calibration`.
        length: Number of samples in the data set.

    Returns:
        Samples that depend on the configuration's seed.

    Raises:
        UsageError: A calibration series is of a patient who is trained on, or there is no series.
    """
    sampling = config.sampling.model_copy(
        update={
            "synthetic_carcinoma_weight": 0.0,
            "synthetic_benign_weight": 0.0,
            "background_weight": 0.0,
            "free_rotation_probability": 0.0,
        }
    )
    cases = read_calibration(config.data)
    return ClassificationSamples(
        cases,
        _false_positives(config, cases),
        (),
        sampling,
        length=length,
        seed=config.seed + 2,
    )


def _false_positives(
    config: ClassifierTrainingConfig, cases: Sequence[PreparedCase]
) -> list[NDArray[np.float64]]:
    """For each case the false candidates of the data set and of the detector, LPS mm."""
    sampling = config.sampling
    if sampling.false_positive_weight <= 0:
        return [np.zeros((0, 3)) for _ in cases]
    listed = [
        np.zeros((0, 3))
        if case.candidates is None
        else case.candidates[case.candidates[:, 3] == 0, :3]
        for case in cases
    ]
    if sampling.detector is None:
        return listed
    mined = mine_candidates(
        model_folder(sampling.detector.replace("{fold}", str(config.data.fold))),
        cases,
        cache=Path(sampling.candidate_cache),
        threads=config.optimisation.threads,
    )
    return [np.concatenate(both) for both in zip(listed, mined, strict=True)]
