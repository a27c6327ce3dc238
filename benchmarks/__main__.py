"""`make bench`: every benchmark after the other, or those that are named.

``python -m benchmarks reading decoding`` runs two of them.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NO_BENCHMARKS = {"__main__", "real_nodules"}


def main() -> int:
    """Runs each benchmark in a process of its own, so that none warms up the next."""
    known = sorted({name for _, name, _ in pkgutil.iter_modules([str(FOLDER)])} - NO_BENCHMARKS)
    chosen = sys.argv[1:] or known
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    worst = 0
    for name in chosen:
        print(f"\n== {name}", flush=True)
        ended = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        worst = max(worst, ended.returncode)
    return worst


sys.exit(main())
