"""Training configuration of the segmenter."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from hounsfield.models.training.engine.configuration import (
    DEFAULT_HU_WINDOW,
    Probability,
    SamplingConfig,
    TrainingConfig,
)


class SegmenterSamplingConfig(SamplingConfig):
    """How often each kind of nodule is shown, and how samples are varied.

    The probabilities of the four kinds sum to 1.

    Attributes:
        real_probability: Real nodules in their own surroundings; what is beyond their slices is
            not learnt from.
        pasted_probability: Real nodules pasted into other lungs, so that they end along z.
        synthetic_class_probability: Synthetic nodules of every class, with exact masks.
        synthetic_size_probability: Synthetic nodules of 3 to 100 mm, uniform in the logarithm of
            the diameter, with exact masks.
        part_solid_probability: Probability that a nodule of the last kind has a solid core in
            ground glass.
        ground_glass_probability: Probability that a nodule of the last kind is all ground glass.
        jitter_mm: Standard deviation of the centre's error along each axis, at most a fifth of the
            diameter.
        size_jitter: Standard deviation of the error of the diameter's natural logarithm.
        hu_window: HU that are mapped to 0 and 1.
    """

    real_probability: Probability = 0.4
    pasted_probability: Probability = 0.2
    synthetic_class_probability: Probability = 0.2
    synthetic_size_probability: Probability = 0.2
    part_solid_probability: Probability = 0.15
    ground_glass_probability: Probability = 0.15
    jitter_mm: float = Field(default=1.2, ge=0)
    size_jitter: float = Field(default=0.15, ge=0)
    hu_window: tuple[float, float] = DEFAULT_HU_WINDOW

    @model_validator(mode="after")
    def _probabilities_sum_to_one(self) -> Self:
        kinds = {
            "real_probability": self.real_probability,
            "pasted_probability": self.pasted_probability,
            "synthetic_class_probability": self.synthetic_class_probability,
            "synthetic_size_probability": self.synthetic_size_probability,
        }
        if not math.isclose(sum(kinds.values()), 1, abs_tol=1e-8):
            msg = f"{', '.join(kinds)} must sum to 1, got {sum(kinds.values()):g}"
            raise ValueError(msg)
        if self.part_solid_probability + self.ground_glass_probability > 1:
            msg = "part_solid_probability and ground_glass_probability must sum to 1 at most"
            raise ValueError(msg)
        return self


class SegmenterTrainingConfig(TrainingConfig):
    """Training configuration with ``task: segmenter``."""

    task: Literal["segmenter"]
    sampling: SegmenterSamplingConfig
