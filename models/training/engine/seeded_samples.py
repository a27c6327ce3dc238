"""Samples that are made on request, not stored: each follows from the seed and its index alone."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch.utils.data import Dataset


class SeededSamples(Dataset[dict[str, torch.Tensor]]):
    """Data set whose sample `index` depends on seed and index alone, so training resumes exactly.

    Args:
        length: Number of samples.
        seed: Seed of all random choices.
    """

    def __init__(self, *, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        """Returns the number of samples."""
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Makes sample `index`.

        Raises:
            IndexError: `index` is not below the length.
        """
        if not 0 <= index < self.length:
            raise IndexError(index)
        return self.sample(np.random.default_rng((self.seed, index)))

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes a sample that depends on `rng` alone."""
