"""Samples that are drawn, not stored: each follows from the seed and its index alone."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch.utils.data import Dataset


class SeededSamples(Dataset[dict[str, torch.Tensor]]):
    """Sample `index` depends on the seed and the index alone, so training can be resumed exactly.

    Args:
        length: How many samples there are.
        seed: Of all choices.
    """

    def __init__(self, *, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        """Number of samples."""
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Draws a sample.

        Raises:
            IndexError: There are fewer.
        """
        if not 0 <= index < self.length:
            raise IndexError(index)
        return self.sample(np.random.default_rng((self.seed, index)))

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes a sample with nothing but `rng` for chance."""
