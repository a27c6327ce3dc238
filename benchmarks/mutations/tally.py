"""Counts what became of the mutations, and prints it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.mutations.trial import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.mutations.trial import Judgement
    from benchmarks.mutations.workers import Task

FAULTS = (Verdict.ESCAPED, Verdict.GROWN, Verdict.HANG, Verdict.CRASH)
"""Verdicts that must not happen."""

MAX_FAULTS_PRINTED = 40


@dataclass
class Tally:
    """What became of all mutations so far.

    Attributes:
        verdicts: Number of each verdict, by kind.
        silent: For each kind and field, how often each change went unseen.
        first_silent: The first mutation of each of these, to try it again.
        faults: The mutations with a verdict that must not happen, by what was seen.
        caught: Kinds of exceptions that only a net turned into a reason, by kind of input.
    """

    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    silent: dict[tuple[str, str], Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    first_silent: dict[tuple[str, str], int] = field(default_factory=dict)
    faults: dict[tuple[str, str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    caught: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, task: Task, judgement: Judgement) -> None:
        """Counts one mutation.

        Args:
            task: Its kind and number.
            judgement: What became of it.
        """
        kind, index = task
        self.verdicts[kind][judgement.verdict] += 1
        self.caught[kind].update(judgement.caught)
        if judgement.verdict is Verdict.SILENT:
            key = (kind, judgement.field)
            self.silent[key][judgement.how] += 1
            self.first_silent[key] = min(index, self.first_silent.get(key, index))
        elif judgement.verdict in FAULTS:
            self.faults[kind, judgement.verdict, judgement.detail].append(index)

    @property
    def fault_count(self) -> int:
        """Number of mutations with a verdict that must not happen."""
        return sum(map(len, self.faults.values()))

    def lines(self, kinds: Sequence[str]) -> Iterator[str]:
        """The tables as text.

        Args:
            kinds: The kinds in the order of the rows.
        """
        names = list(Verdict)
        yield f"{'kind':18s}{'inputs':>8s}" + "".join(f"{name:>9s}" for name in names)
        for kind in kinds:
            row = self.verdicts[kind]
            counts = "".join(f"{row[name] or '-':>9}" for name in names)
            yield f"{kind:18s}{row.total():8d}{counts}"
        total = sum(self.verdicts.values(), Counter[str]())
        counts = "".join(f"{total[name] or '-':>9}" for name in names)
        yield f"{'all':18s}{total.total():8d}{counts}"
        yield from self._silent_lines()
        yield from self._fault_lines()
        caught = {kind: counts for kind, counts in self.caught.items() if counts}
        if caught:
            yield "\ncaught by a net alone (a reason was given, without its cause)"
        for kind, exceptions in caught.items():
            yield f"  {kind:18s}{_listed(exceptions)}"

    def as_json(self, kinds: Sequence[str]) -> dict[str, object]:
        """The same as a document.

        Args:
            kinds: The kinds in the order of the rows.
        """
        return {
            "verdicts": {kind: dict(self.verdicts[kind]) for kind in kinds},
            "silent": [
                {
                    "kind": kind,
                    "field": name,
                    "count": changes.total(),
                    "changes": dict(changes),
                    "first": self.first_silent[kind, name],
                }
                for (kind, name), changes in self._silent_by_count()
            ],
            "faults": [
                {"kind": kind, "verdict": verdict, "detail": detail, "numbers": sorted(numbers)}
                for (kind, verdict, detail), numbers in self.faults.items()
            ],
            "caught": {kind: dict(counts) for kind, counts in self.caught.items() if counts},
        }

    def _silent_by_count(self) -> list[tuple[tuple[str, str], Counter[str]]]:
        return sorted(self.silent.items(), key=lambda item: (-item[1].total(), item[0]))

    def _silent_lines(self) -> Iterator[str]:
        if self.silent:
            yield "\nHU or geometry changed, and nobody is told (first: number to try again)"
        for (kind, name), changes in self._silent_by_count():
            first = self.first_silent[kind, name]
            yield f"  {changes.total():5d}  {kind}: {name} ({_listed(changes)}; first {first})"

    def _fault_lines(self) -> Iterator[str]:
        if self.faults:
            yield "\nfaults (numbers to try again)"
        for (kind, verdict, detail), numbers in sorted(
            self.faults.items(), key=lambda item: -len(item[1])
        )[:MAX_FAULTS_PRINTED]:
            first = ", ".join(map(str, sorted(numbers)[:3]))
            yield f"  {len(numbers):5d}  {kind}: {verdict}, {detail} ({first})"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
