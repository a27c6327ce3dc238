"""Builds every case of a folder and judges what Hounsfield makes of it.

Run as ``python -m benchmarks.cases FOLDER [CASE ...]``. Each case is a folder with a ``make.py``
that builds one input (``python make.py OUT``). The cases are no part of the repository: `JUDGES`
names those that can be judged. A case is right if its volumes are right or refused with the reason
that is true of it; the exit code is 1 if any is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.cases.judges import JUDGES, WrongVerdict
from benchmarks.cases.product import HOUNSFIELD, Product

BUILD_TIMEOUT_S = 600


def main() -> int:
    """Prints a line for each case.

    Returns:
        0 if every case is right or no folder is given, 1 if one is wrong, 2 if the folder holds no
        case.
    """
    if len(sys.argv) < 2:
        print("not run: needs FOLDER, where each case is a folder with a make.py that builds it;")
        print("the cases are not part of this repository (python -m benchmarks.cases FOLDER)")
        return 0
    root, chosen = Path(sys.argv[1]), sys.argv[2:]
    folders = sorted(path.parent for path in root.glob("*/make.py"))
    folders = [folder for folder in folders if not chosen or folder.name in chosen]
    if not folders:
        print(f"no case in {root}")
        return 2
    wrong = 0
    for folder in folders:
        started = time.perf_counter()
        outcome = _outcome(folder)
        wrong += outcome != "right"
        print(f"{folder.name:34} {time.perf_counter() - started:6.1f} s  {outcome}", flush=True)
    print(f"\n{len(folders) - wrong} of {len(folders)} right")
    return min(wrong, 1)


def _outcome(folder: Path) -> str:
    judge = JUDGES.get(folder.name)
    if judge is None:
        return "no judge for this case"
    with tempfile.TemporaryDirectory() as name:
        built = Path(name) / folder.name
        environment = {**os.environ, "HOUNSFIELD": str(HOUNSFIELD)}
        made = subprocess.run(
            [sys.executable, folder / "make.py", built],
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        if made.returncode:
            return f"not built: {made.stderr.strip().splitlines()[-1:]}"
        try:
            judge(Product(built, Path(name)))
        except WrongVerdict as error:
            return f"WRONG: {error}"
        except Exception as error:  # noqa: BLE001 - an unexpected error is a wrong verdict too
            return f"WRONG: {type(error).__name__}: {error}"
    return "right"


sys.exit(main())
