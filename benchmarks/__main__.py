"""`make bench`: runs all benchmarks, or those that are named, one after the other.

``python -m benchmarks reading decoding`` runs two of them.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
NO_BENCHMARKS = {
    "__main__",
    "encoded_pixels",
    "inserted_spheres",
    "mutations",
    "reader_inputs",
    "real_nodules",
    "slice_removal",
    "sphere_search",
}


def main() -> int:
    """Runs each benchmark in a process of its own, so that caches of one do not speed up the next.

    Returns:
        The highest exit code; 2 where a name is unknown.
    """
    known = sorted({module.name for module in pkgutil.iter_modules([str(FOLDER)])} - NO_BENCHMARKS)
    chosen = sys.argv[1:] or known
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    exit_code = 0
    for name in chosen:
        print(f"\n== {name}", flush=True)
        process = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        exit_code = max(exit_code, process.returncode)
    return exit_code


sys.exit(main())
