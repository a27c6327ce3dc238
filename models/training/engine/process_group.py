"""One training on several processors or GPUs: what torchrun started works as one team."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn


PATIENCE = timedelta(days=2)
"""Between two folds the others wait while one predicts; torchrun ends the team where one dies."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes that train one network together; mostly it is one.

    Attributes:
        rank: Of this process; the one of rank 0 writes and tells.
        size: How many there are.
        device: Where this one computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main_process(self) -> bool:
        """Whether this process is the one that writes and tells."""
        return self.rank == 0

    def share_of(self, batch: int) -> int:
        """How many samples of a batch fall to each process.

        Raises:
            UsageError: The batch cannot be dealt out evenly.
        """
        if batch % self.size:
            msg = (
                f"optimisation.batch must be a multiple of the {self.size} processes of the "
                f"training, got {batch}"
            )
            raise UsageError(msg)
        return batch // self.size

    def joined(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over the team after each backward pass.

        Statistics of batch normalisation are those of each process' own share.
        """
        return network if self.size == 1 else DistributedDataParallel(network)

    def summed(self, values: dict[str, float]) -> dict[str, float]:
        """The sums over the team, the same in each process."""
        if self.size == 1:
            return values
        sums = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        distributed.all_reduce(sums)
        return dict(zip(values, sums.tolist(), strict=True))


def alone() -> ProcessGroup:
    """This process, on the GPU where there is one."""
    return ProcessGroup(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


@contextmanager
def join_process_group() -> Iterator[ProcessGroup]:
    """Joins the processes that torchrun started, or works alone where it did not.

    The addresses and ranks are read from the environment that torchrun sets. A GPU is used where
    there is one: NCCL between GPUs, Gloo between processors.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield alone()
        return
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        gc.collect()  # ends joined networks, which hold the group and its threads
        distributed.destroy_process_group()


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Moves a batch; pictures in the layout that convolutions are fastest in."""
    return {name: _moved(value, device) for name, value in batch.items()}


def _moved(value: object, device: torch.device) -> object:
    if isinstance(value, Tensor):
        layout = torch.channels_last_3d if value.ndim == 5 else torch.preserve_format
        return value.to(device, memory_format=layout, non_blocking=True)
    if isinstance(value, dict):
        return to_device(value, device)
    if isinstance(value, list | tuple):
        return [_moved(one, device) for one in value]
    return value
