"""How long `hounsfield --help` takes: at most 0.4 s, median of 7 fresh processes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 7
AIM_S = 0.4
PEERS = {"import pydicom": "import pydicom", "import torch": "import torch"}


def median_seconds(command: list[str]) -> float:
    """The median wall time of a command, each time in a fresh process."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> int:
    """Prints the time and the ratio to the peers."""
    hounsfield = str(Path(sys.executable).parent / "hounsfield")
    ours = median_seconds([hounsfield, "--help"])
    print(f"hounsfield --help   {ours:.3f} s   (aim: at most {AIM_S} s)")
    for name, program in PEERS.items():
        theirs = median_seconds([sys.executable, "-c", program])
        print(f"{name:<19} {theirs:.3f} s   {theirs / ours:.1f} times as long")
    return int(ours > AIM_S)


if __name__ == "__main__":
    sys.exit(main())
