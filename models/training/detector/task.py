"""The detector's training: material, samples and loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.networks.centre_heatmap import SIZE_DIVISOR
from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.training.detector.loss import detection_loss
from hounsfield.models.training.detector.pictures import detection_pictures
from hounsfield.models.training.detector.samples import DetectionSamples
from hounsfield.models.training.engine.material import (
    held_out_cases,
    read_cases,
    read_nodules,
    require_cases,
    require_nodules,
)
from hounsfield.models.training.engine.network import make_network
from hounsfield.models.training.engine.task import TrainingTask

if TYPE_CHECKING:
    from hounsfield.models.training.detector.configuration import DetectorTrainingConfig


def detector_task(config: DetectorTrainingConfig) -> TrainingTask:
    """Reads the material and builds the task.

    Args:
        config: Training configuration of a detector.

    Returns:
        A `CentreNet` with training and validation crops.

    Raises:
        UsageError: The configuration or its material cannot be used, or holds no nodule.
    """
    training = require_cases(read_cases(config.data, "training"))
    validation = held_out_cases(config.data)
    nodules, held_out_nodules = (
        read_nodules(config.data, part) for part in ("training", "validation")
    )
    require_nodules(training, nodules, part="training")
    require_nodules(validation, held_out_nodules, part="validation")
    return TrainingTask(
        make_network(CentreNet, config.network),
        DetectionSamples(
            training,
            nodules,
            config.sampling,
            length=config.optimisation.steps * config.optimisation.batch,
            seed=config.seed,
        ),
        DetectionSamples(
            validation,
            held_out_nodules,
            config.sampling,
            length=config.optimisation.validation_samples,
            seed=config.seed + 1,
        ),
        detection_loss,
        pictures=detection_pictures,
        graph=GraphSpec((1, 64, 64, 64), divisors=(SIZE_DIVISOR,) * 3),
    )
