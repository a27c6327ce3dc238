"""The segmenter's training: material, samples and loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.segment_net import IMAGE_CHANNELS, segment_net
from hounsfield.models.training.engine.material import (
    held_out_cases,
    read_cases,
    read_nodules,
    require_cases,
    require_nodules,
)
from hounsfield.models.training.engine.network import make_network
from hounsfield.models.training.engine.task import TrainingTask
from hounsfield.models.training.segmenter.loss import segmentation_loss
from hounsfield.models.training.segmenter.samples import SegmentationSamples
from hounsfield.models.views.segmentation import VIEW_VOXELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.data.prepared.splits import Part
    from hounsfield.models.training.segmenter.configuration import (
        SegmenterSamplingConfig,
        SegmenterTrainingConfig,
    )


def segmenter_task(config: SegmenterTrainingConfig) -> TrainingTask:
    """Reads the material and builds the task.

    Args:
        config: Training configuration of a segmenter.

    Returns:
        A `segment_net` with training and validation samples.

    Raises:
        UsageError: The configuration or its material cannot be used.
    """
    cases = require_cases(read_cases(config.data, "training"))
    nodules = read_nodules(config.data, "training")
    _require_shown_nodules(config.sampling, cases, nodules, part="training")
    samples = SegmentationSamples(
        cases,
        nodules,
        config.sampling,
        length=config.optimisation.steps * config.optimisation.batch,
        seed=config.seed,
    )
    return TrainingTask(
        make_network(segment_net, config.network),
        samples,
        held_out_samples(config),
        segmentation_loss,
        graph=GraphSpec((IMAGE_CHANNELS, VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def held_out_samples(config: SegmenterTrainingConfig) -> SegmentationSamples:
    """Samples nodules of validation patients, and synthetic ones in held-out lungs.

    Args:
        config: Training configuration of a segmenter.

    Returns:
        `optimisation.validation_samples` samples.

    Raises:
        UsageError: The configuration or its material cannot be used.
    """
    cases, nodules = held_out_cases(config.data), read_nodules(config.data, "validation")
    _require_shown_nodules(config.sampling, cases, nodules, part="validation")
    return SegmentationSamples(
        cases,
        nodules,
        config.sampling,
        length=config.optimisation.validation_samples,
        seed=config.seed + 1,
    )


def _require_shown_nodules(
    sampling: SegmenterSamplingConfig,
    cases: Sequence[PreparedCase],
    nodules: Sequence[NoduleCrop],
    *,
    part: Part,
) -> None:
    """Refuses material without outlined nodules where samples are to show some.

    The findings of series have no outlines here, so only `data.nodules` counts.
    """
    if sampling.real_probability + sampling.pasted_probability > 0:
        bare = [replace(case, findings=()) for case in cases]
        require_nodules(bare, nodules, part=part)
