"""`make bench`: runs all benchmarks, or those that are named, one after the other.

``python -m benchmarks reading decoding`` runs two of them.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
ONLY_BY_NAME = {"mutations"}
"""Left out of a run of all: it reads 100,000 inputs, which takes about an hour."""


def main() -> int:
    """Runs each benchmark in a process of its own, so that caches of one do not speed up the next.

    Returns:
        The highest exit code; 2 where a name is unknown.
    """
    known = benchmark_names()
    chosen = sys.argv[1:] or [name for name in known if name not in ONLY_BY_NAME]
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


def benchmark_names() -> list[str]:
    """Returns the modules of this folder, and its packages that can be run."""
    return [
        module.name
        for module in pkgutil.iter_modules([str(FOLDER)])
        if module.name != "__main__"
        and (not module.ispkg or (FOLDER / module.name / "__main__.py").is_file())
    ]


if __name__ == "__main__":
    sys.exit(main())
