"""`StageTimer`: seconds by stage, and the peak memory of the process."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""Unit of ru_maxrss: bytes on macOS, kilobytes on Linux (getrusage(2))."""


class StageTimer:
    """Measures the stages of one analysis.

    Attributes:
        seconds: Seconds of each stage that has ended, by name, in the order of their ends.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._prefix = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what happens inside under the name of a stage."""
        start = time.perf_counter()
        yield
        self.seconds[self._prefix + name] = round(time.perf_counter() - start, 3)

    def prefixed(self, prefix: str) -> StageTimer:
        """Return a timer that writes to the same record with a prefix before each name."""
        timer = StageTimer()
        timer.seconds, timer._prefix = self.seconds, self._prefix + prefix
        return timer


def peak_memory_mb() -> float:
    """Return the process' peak memory since `reset_peak_memory`, in 10^6 bytes."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round(usage.ru_maxrss * _MAXRSS_BYTES / 1e6, 1)


def reset_peak_memory() -> None:
    """Start the peak anew, where the system can (Linux: proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
