"""What a series cost: seconds by stage, and the most memory that was held."""

from __future__ import annotations

import resource
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.pipeline.report.schema import TimesDocument

if TYPE_CHECKING:
    from collections.abc import Iterator


class StageTimes:
    """Measures the stages of one series, from its making on."""

    def __init__(self) -> None:
        forget_peak_memory()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measures what happens inside."""
        start = time.perf_counter()
        yield
        self._seconds[name] = round(time.perf_counter() - start, 3)

    def document(self) -> TimesDocument:
        """The stages measured so far."""
        return TimesDocument(
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=dict(self._seconds),
            peak_memory_mb=peak_memory_mb(),
        )


def peak_memory_mb() -> float:
    """The most memory this process held since `forget_peak_memory`, in 10^6 bytes."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def forget_peak_memory() -> None:
    """Starts the peak anew, where the system can (Linux: proc(5), clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
