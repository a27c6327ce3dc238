"""Training configuration of the classifier."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hounsfield.models.training.engine.configuration import (
    DEFAULT_HU_WINDOW,
    Probability,
    SamplingConfig,
    TrainingConfig,
)

Weight = Annotated[float, Field(ge=0)]


class ClassifierSamplingConfig(SamplingConfig):
    """How often each kind of sample is shown, and how samples are varied.

    The weights of the kinds are relative to one another. A kind without material (no labelled
    findings, no real nodules to paste, no lungs) is left out.

    Attributes:
        own_weight: Findings of the cases whose class is known, each class equally often.
        synthetic_carcinoma_weight: Synthetic nodules of the three carcinomas, equally often.
        synthetic_benign_weight: Synthetic nodules and scars that are normal.
        real_suspicious_weight: Real nodules that readers rated 4 or 5.
        real_benign_weight: Real nodules that readers rated 1 or 2.
        false_positive_weight: False positives of a detector, and false candidates that the data
            set lists.
        background_weight: Places without a nodule: lung and vessels.
        detector: Name or folder of the detector whose false positives are shown; null for none.
        candidate_cache: Folder that keeps its candidates on the cases.
        real_probability: Probability that the lungs are real, where there are phantoms too.
        jitter_mm: Largest shift of the centre along each axis, in mm; a sixth of the diameter
            where that is more.
        free_rotation_probability: Probability that a sample is rotated by any angle and scaled.
        degradation_probability: Probability that a sample is degraded as by another scanner.
        class_weights: Weights in the loss of adenocarcinoma, large cell carcinoma, squamous cell
            carcinoma and normal.
        hu_window: HU that are mapped to 0 and 1.
    """

    own_weight: Weight = 0.0
    synthetic_carcinoma_weight: Weight = 0.0
    synthetic_benign_weight: Weight = 0.0
    real_suspicious_weight: Weight = 0.0
    real_benign_weight: Weight = 0.0
    false_positive_weight: Weight = 0.0
    background_weight: Weight = 0.0
    detector: str | None = None
    candidate_cache: str = "prepared/mined"
    real_probability: Probability = 0.5
    jitter_mm: float = Field(default=3.0, ge=0)
    free_rotation_probability: Probability = 0.5
    degradation_probability: Probability = 1.0
    class_weights: tuple[Weight, Weight, Weight, Weight] = (1.0, 1.0, 1.0, 1.0)
    hu_window: tuple[float, float] = DEFAULT_HU_WINDOW


class ClassifierTrainingConfig(TrainingConfig):
    """Training configuration with ``task: classifier``."""

    task: Literal["classifier"]
    sampling: ClassifierSamplingConfig
