"""The RetinaNet's training: material, patches and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.retina_net import SIZE_DIVISOR_XYZ, retina_config, retina_net
from hounsfield.models.training.engine.material import read_cases, require_cases, require_nodules
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.retinanet.loss import RetinaLoss
from hounsfield.models.training.retinanet.samples import RetinaSamples, bundle_augmentation
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.training.engine.configuration import DataConfig
    from hounsfield.models.training.retinanet.configuration import RetinaTrainingConfig

SPACING_TOLERANCE_MM = 1e-3


RETINA_GRAPH = GraphSpec((1, 64, 64, 32), divisors=SIZE_DIVISOR_XYZ, outputs=6)
"""Logits and offsets of three levels."""


def retina_task(config: RetinaTrainingConfig) -> TrainingTask:
    """Reads the material and builds the task.

    Args:
        config: Training configuration of a RetinaNet.

    Returns:
        A RetinaNet with training and validation patches.

    Raises:
        UsageError: The configuration or its material cannot be used, or holds no nodule.
    """
    training, validation = retina_cases(config.data)
    require_nodules(training, (), part="training")
    require_nodules(validation, (), part="validation")
    network_config = retina_config(config.network)
    _check_patch(config.sampling.patch_xyz)
    network = retina_net(network_config)
    samples = RetinaSamples(
        training,
        config.sampling,
        augmentation=bundle_augmentation(),
        length=config.optimisation.steps * config.optimisation.batch,
        seed=config.seed,
    )
    held_out = RetinaSamples(
        validation,
        config.sampling,
        augmentation=None,
        length=config.optimisation.validation_samples,
        seed=config.seed + 1,
    )
    loss = RetinaLoss(network, network_config).of_batch
    return TrainingTask(network, samples, held_out, loss, graph=RETINA_GRAPH)


def retina_cases(data: DataConfig) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """Reads the series of the training folds and of the validation fold.

    Args:
        data: Folders, fold and held-out patients of the training.

    Returns:
        Training and validation series, all of one spacing.

    Raises:
        UsageError: Either has no series, or their spacings differ.
    """
    training, validation = (
        require_cases(read_cases(data, part)) for part in ("training", "validation")
    )
    _check_one_spacing([*training, *validation])
    return training, validation


def _check_patch(patch_xyz: tuple[int, int, int]) -> None:
    if any(size % divisor for size, divisor in zip(patch_xyz, SIZE_DIVISOR_XYZ, strict=True)):
        msg = f"sampling.patch_xyz must be divisible by {SIZE_DIVISOR_XYZ}, got {patch_xyz}"
        raise UsageError(msg)


def _check_one_spacing(cases: Sequence[PreparedCase]) -> None:
    first = cases[0].volume.spacing_mm
    for case in cases:
        spacing = case.volume.spacing_mm
        if not np.allclose(spacing, first, rtol=0, atol=SPACING_TOLERANCE_MM):
            msg = (
                f"a retinanet's series must have one spacing, but {cases[0].series_uid} has "
                f"{first} mm and {case.series_uid} {spacing} mm: prepare them alike"
            )
            raise UsageError(msg)
