"""Training configuration of the false-positive reducer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hounsfield.models.training.engine.configuration import (
    DEFAULT_HU_WINDOW,
    Probability,
    SamplingConfig,
    TrainingConfig,
)


class ReducerSamplingConfig(SamplingConfig):
    """How candidates are sampled.

    Attributes:
        detector: Name or folder of the detector whose candidates are reduced; ``{fold}`` in it
            stands for `data.fold`.
        candidate_cache: Folder that keeps the detector's candidates on the cases.
        real_probability: Probability that a sample comes from a real series, where there are
            phantoms too.
        nodule_probability: Probability that a sample has a nodule in the middle.
        own_probability: Probability that such a nodule is a case's own, where any case has one.
        synthetic_probability: Probability that an added nodule is synthetic, not a real one.
        mass_probability: Probability that an added nodule is a mass of 30 to 100 mm.
        edge_probability: Probability that an added nodule lies at the lung's edge.
        mined_probability: Probability that a sample without nodule is a false positive of the
            detector, where there are any.
        listed_probability: Otherwise, probability that it is a false candidate of the data set,
            where it lists any.
        negative_paste_probability: Otherwise, probability that lung is pasted over lung.
        search_probability: Otherwise, probability that it lies anywhere in the search mask; else
            it lies in the lung.
        free_rotation_probability: Probability that a sample is rotated by any angle and scaled.
        noise_hu: Largest standard deviation of the added noise, in HU.
        focal_power: Exponent of the focal loss; 0 is plain cross-entropy.
        hu_window: HU that are mapped to 0 and 1.
    """

    detector: str
    candidate_cache: str
    real_probability: Probability = 0.7
    nodule_probability: Probability = 0.5
    own_probability: Probability = 0.4
    synthetic_probability: Probability = 0.25
    mass_probability: Probability = 0.1
    edge_probability: Probability = 0.35
    mined_probability: Probability = 0.65
    listed_probability: Probability = 0.6
    negative_paste_probability: Probability = 0.4
    search_probability: Probability = 0.3
    free_rotation_probability: Probability = 0.5
    noise_hu: float = Field(default=60.0, ge=0)
    focal_power: float = Field(default=0.0, ge=0)
    hu_window: tuple[float, float] = DEFAULT_HU_WINDOW


class ReducerTrainingConfig(TrainingConfig):
    """Training configuration with ``task: reducer``."""

    task: Literal["reducer"]
    sampling: ReducerSamplingConfig
