"""How many processors this process may use, and work on all of them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Given = TypeVar("Given")
Answer = TypeVar("Answer")


def available_processors() -> int:
    """Processors that this process may run on; fewer than the machine has in a container."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_threads() -> int:
    """Threads that work inside this process may use: one for each processor.

    Fewer where OMP_NUM_THREADS says so, which the workers of a run share the processors by.
    """
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    most = int(told) if told.isdecimal() else 0
    return min(most or available_processors(), available_processors())


def thread_map(work: Callable[[Given], Answer], given: Iterable[Given]) -> list[Answer]:
    """Does the same to each, in threads, for work inside numpy, scipy and Pillow.

    Returns:
        The answers in the order of what was given.
    """
    with ThreadPoolExecutor(usable_threads()) as pool:
        return list(pool.map(work, given))
