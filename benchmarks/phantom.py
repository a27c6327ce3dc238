"""Making a 512 x 512 x 300 phantom: seconds and peak memory.

Run as ``python -m benchmarks.phantom``. Each repeat is a process of its own, imports included.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time

REPEATS = 3
SECONDS_AIM, MEGABYTES_AIM = 30.0, 3000.0


def main() -> None:
    """Prints the median time and the largest memory, beside the aims."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        runs = pool.map(_make, range(REPEATS), chunksize=1)
    seconds = statistics.median(run[0] for run in runs)
    megabytes = max(run[1] for run in runs)
    print(f"phantom of 512 x 512 x 300, {REPEATS} persons")
    print(f"  {seconds:6.1f} s   median   (aim: under {SECONDS_AIM:g})")
    print(f"  {megabytes:6.0f} MB  largest  (aim: under {MEGABYTES_AIM:g})")


def _make(seed: int) -> tuple[float, float]:
    """Seconds and MB of one phantom."""
    begin = time.perf_counter()
    from hounsfield.data.phantom import make_phantom

    make_phantom(seed)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return time.perf_counter() - begin, peak_kib * 1024 / 1e6


if __name__ == "__main__":
    main()
