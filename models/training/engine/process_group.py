"""Trains one network in several processes, on CPUs or GPUs, where torchrun started them."""

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


PROCESS_GROUP_TIMEOUT = timedelta(days=2)
"""Between two folds the other processes wait while the main one predicts; torchrun itself ends all
processes where one dies."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes that train one network together; usually only this one.

    Attributes:
        rank: Number of this process; rank 0 is the main process, which writes and logs.
        size: Number of processes.
        device: Device on which this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main_process(self) -> bool:
        """Whether this process is the one that writes and logs."""
        return self.rank == 0

    def local_batch_size(self, batch: int) -> int:
        """Returns how many samples of a batch each process takes.

        Raises:
            UsageError: The batch is not a multiple of the number of processes.
        """
        if batch % self.size:
            msg = (
                f"optimisation.batch must be a multiple of the {self.size} processes of the "
                f"training, got {batch}"
            )
            raise UsageError(msg)
        return batch // self.size

    def distribute(self, network: nn.Module) -> nn.Module:
        """Returns the network with its gradients averaged over the group after each backward pass.

        Batch normalisation uses the statistics of each process' own samples.
        """
        return network if self.size == 1 else DistributedDataParallel(network)

    def sum_over_processes(self, values: dict[str, float]) -> dict[str, float]:
        """Returns the sums over the group, equal in each process."""
        if self.size == 1:
            return values
        sums = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        distributed.all_reduce(sums)
        return dict(zip(values, sums.tolist(), strict=True))


def single_process() -> ProcessGroup:
    """Returns a group of this process alone, on the GPU where there is one."""
    return ProcessGroup(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


@contextmanager
def join_process_group() -> Iterator[ProcessGroup]:
    """Joins the processes that torchrun started, or works alone without torchrun.

    Addresses and ranks come from the environment variables that torchrun sets. GPUs are used where
    there are any: NCCL connects GPUs, Gloo connects CPUs.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield single_process()
        return
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if gpu else "gloo", timeout=PROCESS_GROUP_TIMEOUT)
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        gc.collect()  # ends distributed networks, which hold the group and its threads
        distributed.destroy_process_group()


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """Moves a batch to a device; images get the memory layout in which convolutions are fastest.

    Args:
        batch: Tensors, or dicts and lists of them, by name.
        device: Device of the network that is fed.

    Returns:
        A new batch of the same structure; tuples become lists.
    """
    return {name: _moved(value, device) for name, value in batch.items()}


def _moved(value: object, device: torch.device) -> object:
    if isinstance(value, Tensor):
        layout = torch.channels_last_3d if value.ndim == 5 else torch.preserve_format
        return value.to(device, memory_format=layout, non_blocking=True)
    if isinstance(value, dict):
        return to_device(value, device)
    if isinstance(value, list | tuple):
        return [_moved(item, device) for item in value]
    return value
