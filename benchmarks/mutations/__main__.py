"""``python -m benchmarks.mutations``: damages inputs at random, and counts what becomes of them."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.mutations.registry import KINDS
from benchmarks.mutations.tally import Tally
from benchmarks.mutations.trial import Trial
from benchmarks.mutations.workers import try_all
from hounsfield.preprocessing.parallel import available_processors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.mutations.workers import Task

PROGRESS_S = 30.0


def main() -> int:
    """Tries the mutations and prints the tables.

    Returns:
        1 if an exception escaped, a process grew, hung or crashed; 0 otherwise.
    """
    arguments = _arguments()
    kinds = arguments.kind or list(KINDS)
    if arguments.only is not None:
        return _try_one(kinds[0], arguments.only, arguments.seed)
    _read_unchanged(kinds)
    tasks = list(planned(kinds, arguments.count))
    tally = Tally()
    started = last = time.monotonic()
    done = 0
    with suppress(KeyboardInterrupt):  # what was counted so far is shown
        for task, judgement in try_all(
            tasks, seed=arguments.seed, workers=arguments.workers, limit_s=arguments.limit_s
        ):
            tally.add(task, judgement)
            done += 1
            if time.monotonic() - last > PROGRESS_S:
                last = time.monotonic()
                rate = done / (last - started)
                print(f"{done} of {len(tasks)}, {rate:.0f} a second", file=sys.stderr, flush=True)
    seconds = time.monotonic() - started
    print(
        f"{done} mutated inputs, seed {arguments.seed}, {arguments.workers} processes, "
        f"{seconds:.0f} s ({done / seconds:.0f} a second)"
    )
    print("\n".join(tally.lines(kinds)))
    if arguments.out is not None:
        document = {"seed": arguments.seed, "inputs": done, "seconds": round(seconds, 1)}
        document |= tally.as_json(kinds)
        arguments.out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return 1 if tally.fault_count else 0


def planned(kinds: Sequence[str], count: int) -> Iterator[Task]:
    """Yields the mutations of some kinds, in proportion to their shares.

    Args:
        kinds: Names of kinds.
        count: Number of mutations of all of them together, at least one of each.
    """
    total = sum(KINDS[kind].share for kind in kinds)
    for kind in kinds:
        for index in range(max(1, round(count * KINDS[kind].share / total))):
            yield kind, index


def _read_unchanged(kinds: Sequence[str]) -> None:
    """Reads each unchanged input once: a kind that is wrong ends the benchmark at its start."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            Trial(KINDS[kind](), Path(folder))


def _try_one(kind: str, index: int, seed: int) -> int:
    """Tries one mutation in this process; an exception shows its traceback."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(KINDS[kind](), Path(folder) / kind)
        print(trial.run(index, seed))
        for name, content in trial.mutation(index, seed).files.items():
            (trial.folder / name).write_bytes(content)
        reading = trial.kind.read(trial.folder)
        print(*sorted(reading.told), *reading.messages, sep="\n")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="inputs of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--kind", nargs="+", choices=list(KINDS), metavar="KIND", help=", ".join(KINDS)
    )
    parser.add_argument("--workers", type=int, default=available_processors())
    parser.add_argument("--limit-s", type=float, default=10.0, help="time of one input")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--only", type=int, help="try only this number of the first kind")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
