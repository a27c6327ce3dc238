"""Time and peak memory to generate a phantom of 512 x 512 x 300.

Run as ``python -m benchmarks.phantom``. Each repeat is a new process, imports included.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time

REPEATS = 3
TARGET_S, TARGET_MB = 30.0, 3000.0


def main() -> None:
    """Prints the median time and the largest memory with their targets."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        runs = pool.map(_make, range(REPEATS), chunksize=1)
    seconds = statistics.median(run[0] for run in runs)
    megabytes = max(run[1] for run in runs)
    print(f"phantom of 512 x 512 x 300, {REPEATS} seeds")
    print(f"  {seconds:6.1f} s   median   (target: below {TARGET_S:g})")
    print(f"  {megabytes:6.0f} MB  largest  (target: below {TARGET_MB:g})")


def _make(seed: int) -> tuple[float, float]:
    """Seconds and MB of one phantom."""
    started = time.perf_counter()
    from hounsfield.data.phantom import make_phantom

    make_phantom(seed)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return time.perf_counter() - started, peak_kib * 1024 / 1e6


if __name__ == "__main__":
    main()
