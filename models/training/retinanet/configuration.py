"""Training configuration of the RetinaNet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hounsfield.models.training.engine.configuration import (
    Probability,
    SamplingConfig,
    TrainingConfig,
)

Size = Annotated[int, Field(gt=0)]


class RetinaSamplingConfig(SamplingConfig):
    """How patches are sampled.

    Attributes:
        patch_xyz: Size in voxels at the cases' own spacing; divisible by (16, 16, 8).
        nodule_probability: Probability that a patch holds a chosen nodule whole; else it lies
            anywhere.
        hu_window: HU that are mapped to 0 and 1.
    """

    patch_xyz: tuple[Size, Size, Size] = (192, 192, 80)
    nodule_probability: Probability = 0.5
    hu_window: tuple[float, float] = (-1024.0, 300.0)


class RetinaTrainingConfig(TrainingConfig):
    """Training configuration with ``task: retinanet``."""

    task: Literal["retinanet"]
    sampling: RetinaSamplingConfig
