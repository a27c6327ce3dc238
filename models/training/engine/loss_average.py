"""Averages of the parts of a loss over several batches and over the process group."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from hounsfield.models.training.engine.process_group import ProcessGroup


@dataclass(slots=True)
class LossAverage:
    """Sums losses on their own device, so that no step waits for a GPU."""

    _sums: dict[str, Tensor] = field(default_factory=dict)
    _samples: int = 0

    def add(self, parts: dict[str, Tensor], samples: int) -> None:
        """Adds the losses of one batch.

        Args:
            parts: Parts of the loss by name, each a mean over the batch.
            samples: Size of the batch in this process.
        """
        self._samples += samples
        for name, value in parts.items():
            more = value.detach().double() * samples
            self._sums[name] = self._sums[name] + more if name in self._sums else more

    def take(self, group: ProcessGroup) -> dict[str, float]:
        """Returns the averages over everything added in the whole group, and starts anew.

        Raises:
            UsageError: An average is not finite: the training has diverged.
        """
        sums = {name: float(value) for name, value in self._sums.items()}
        sums = group.sum_over_processes({**sums, "": float(self._samples)})
        self._sums, self._samples = {}, 0
        samples = sums.pop("")
        averages = {name: value / samples for name, value in sums.items()}
        if not all(map(math.isfinite, averages.values())):
            msg = (
                f"the loss must be finite, got {averages}: lower optimisation.learning_rate, or "
                "set optimisation.precision to float32; the last checkpoint is kept"
            )
            raise UsageError(msg)
        return averages
