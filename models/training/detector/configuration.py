"""Training configuration of the detector."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hounsfield.models.training.engine.configuration import (
    DEFAULT_HU_WINDOW,
    Probability,
    SamplingConfig,
    TrainingConfig,
)


class DetectorSamplingConfig(SamplingConfig):
    """How crops are sampled.

    Attributes:
        crop_voxels: Edge of the cubic crop, in voxels of the working grid.
        real_probability: Probability that a crop comes from a real series, where there are
            phantoms too.
        centred_probability: Probability that it is centred on one of the case's own nodules, where
            there are any.
        candidate_probability: Otherwise, probability that it is centred on a false candidate of
            the data set, where it lists any.
        search_probability: Otherwise, probability that it lies anywhere in the search mask; else
            it lies in the lung.
        added_probability: Probability that a crop without centred nodule gets one or two added.
        synthetic_probability: Probability that an added nodule is synthetic, not a real one.
        mass_probability: Probability that an added nodule is a mass of 30 to 100 mm.
        edge_probability: Probability that an added nodule lies at the lung's edge.
        negative_paste_probability: Probability that lung is pasted over lung too.
        free_rotation_probability: Probability that a crop is rotated by any angle and scaled.
        hu_window: HU that are mapped to 0 and 1.
    """

    crop_voxels: int = Field(default=64, gt=0)
    real_probability: Probability = 0.7
    centred_probability: Probability = 0.5
    candidate_probability: Probability = 0.3
    search_probability: Probability = 0.15
    added_probability: Probability = 0.7
    synthetic_probability: Probability = 0.25
    mass_probability: Probability = 0.0
    edge_probability: Probability = 0.35
    negative_paste_probability: Probability = 0.3
    free_rotation_probability: Probability = 0.5
    hu_window: tuple[float, float] = DEFAULT_HU_WINDOW


class DetectorTrainingConfig(TrainingConfig):
    """Training configuration with ``task: detector``."""

    task: Literal["detector"]
    sampling: DetectorSamplingConfig
