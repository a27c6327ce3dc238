"""How many processors this process may use."""

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


def side_by_side(work: Callable[[Given], Answer], given: Iterable[Given]) -> list[Answer]:
    """Does the same to each, on all processors: threads, for work inside numpy, scipy, Pillow.

    Returns:
        The answers in the order of what was given.
    """
    with ThreadPoolExecutor(available_processors()) as pool:
        return list(pool.map(work, given))
