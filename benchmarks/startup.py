"""Time of `hounsfield --help`: median of 7 new processes, target 0.4 s.

Run as ``python -m benchmarks.startup``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 7
TARGET_S = 0.4
PEERS = {"import pydicom": "import pydicom", "import torch": "import torch"}


def _median_seconds(command: list[str]) -> float:
    """Median wall time of a command, each time in a new process."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> int:
    """Prints the time, and those of importing other packages.

    Returns:
        1 where the target is missed, else 0.
    """
    hounsfield = str(Path(sys.executable).parent / "hounsfield")
    ours = _median_seconds([hounsfield, "--help"])
    print(f"hounsfield --help   {ours:.3f} s   (target: {TARGET_S} s)")
    for name, program in PEERS.items():
        theirs = _median_seconds([sys.executable, "-c", program])
        print(f"{name:<19} {theirs:.3f} s   {theirs / ours:.1f} times as long")
    return int(ours > TARGET_S)


if __name__ == "__main__":
    sys.exit(main())
