"""The processors that this process may use, and a thread pool over all of them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_processors() -> int:
    """Returns how many processors this process may run on; a container may allow only some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_threads() -> int:
    """Returns how many threads work inside this process may use: one for each processor.

    OMP_NUM_THREADS lowers the number; the workers of a run share the processors by it.
    """
    setting = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    limit = int(setting) if setting.isdecimal() else 0
    return min(limit or available_processors(), available_processors())


def thread_map(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Calls a function on each item, in threads.

    Args:
        work: A function that spends its time in numpy, scipy or Pillow, which release the
            interpreter's lock.
        items: Its arguments, one for each call.

    Returns:
        The results in the order of the items.
    """
    with ThreadPoolExecutor(usable_threads()) as pool:
        return list(pool.map(work, items))
