"""Training configuration of the mass detector."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hounsfield.models.training.engine.configuration import (
    Probability,
    SamplingConfig,
    TrainingConfig,
)

Size = Annotated[int, Field(gt=0)]


class MassSamplingConfig(SamplingConfig):
    """How crops are sampled from synthetic cases.

    A case takes longer to make than a step of the training, so it is used in several batches.
    Batches are dealt out in turn to `case_streams`, and a case stays in its stream. With as many
    loader workers, or a divisor of their number, each worker makes its cases once; with any other
    number the samples are the same, but slower.

    Attributes:
        real_probability: Probability that a case is made from a real chest, where there are
            phantoms too.
        crop_voxels: Edges of a crop (z, y, x), in voxels of 3 mm.
        crops_per_case: Crops of each case in a batch.
        batches_per_case: Batches in which a case is used, each time with other crops.
        case_streams: Number of streams of batches that share no case.
    """

    real_probability: Probability = 0.6
    crop_voxels: tuple[Size, Size, Size] = (80, 80, 96)
    crops_per_case: Size = 3
    batches_per_case: Size = 1
    case_streams: Size = 1


class MassTrainingConfig(TrainingConfig):
    """Training configuration with ``task: mass_detector``; `data.cases` are folders of chests."""

    task: Literal["mass_detector"]
    sampling: MassSamplingConfig

    @model_validator(mode="after")
    def _starts_from_random_weights(self) -> Self:
        # The same real chests train and validate, so a fine-tuning could not be checked for leaks.
        if self.start_from is not None:
            msg = f"start_from: a mass_detector cannot be fine-tuned, got {self.start_from!r}"
            raise ValueError(msg)
        return self
