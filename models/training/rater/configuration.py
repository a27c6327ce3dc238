"""Training configuration of the malignancy rater."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hounsfield.models.training.engine.configuration import (
    Probability,
    SamplingConfig,
    TrainingConfig,
)

Target = Probability | None


class RaterSamplingConfig(SamplingConfig):
    """How samples are varied, and the target for each rating.

    Attributes:
        targets: Target probability for the ratings 1 to 5; null leaves a rating out.
        free_rotation_probability: Probability that a sample is rotated by any angle in the plane,
            tilted by some degrees and scaled by some percent; all are flipped at random.
        outline_variation_probability: Probability that the outline is made smoother, wider or
            narrower.
        noise_hu: Largest standard deviation of the noise added to half of the samples, in HU.
    """

    targets: tuple[Target, Target, Target, Target, Target]
    free_rotation_probability: Probability = 0.7
    outline_variation_probability: Probability = 0.5
    noise_hu: float = Field(default=40.0, ge=0)


class RaterTrainingConfig(TrainingConfig):
    """Training configuration with ``task: rater``."""

    task: Literal["rater"]
    sampling: RaterSamplingConfig
