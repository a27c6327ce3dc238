"""Means of the parts of a loss over several batches and over the team."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from hounsfield.models.training.engine.process_group import ProcessGroup


@dataclass(slots=True)
class LossMeans:
    """Adds up where the numbers are, so that no step waits for a GPU."""

    _sums: dict[str, Tensor] = field(default_factory=dict)
    _samples: int = 0

    def add(self, parts: dict[str, Tensor], samples: int) -> None:
        """Takes the parts of the loss of one batch, each a mean over its samples."""
        self._samples += samples
        for name, value in parts.items():
            more = value.detach().double() * samples
            self._sums[name] = self._sums[name] + more if name in self._sums else more

    def over(self, team: ProcessGroup) -> dict[str, float]:
        """The means over all that was added in the whole team, and begins anew.

        Raises:
            UsageError: One is not a finite number: the training has failed.
        """
        sums = {name: float(value) for name, value in self._sums.items()}
        sums = team.summed({**sums, "": float(self._samples)})
        self._sums, self._samples = {}, 0
        samples = sums.pop("")
        means = {name: value / samples for name, value in sums.items()}
        if not all(map(math.isfinite, means.values())):
            msg = (
                f"the loss must be finite, got {means}: lower optimisation.learning_rate, or set "
                "optimisation.precision to float32; the checkpoint before this is kept"
            )
            raise UsageError(msg)
        return means
