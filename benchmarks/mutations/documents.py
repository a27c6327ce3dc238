"""Kinds of the project's own files: configurations, manifests of models, ledgers of runs."""

from __future__ import annotations

import sqlite3
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.mutations.changes import change_bytes
from benchmarks.mutations.kinds import Kind, Mutation, Reading
from benchmarks.mutations.text_kinds import TextKind

if TYPE_CHECKING:
    from random import Random

_ROOT = Path(__file__).parents[2]
_NESTED = 20_000
_ANCHORS = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n" for before, name in pairwise("abcdefgh")
)
"""Lists of lists: 8 to the power of 8 values, if they are written out."""
_ODD_VALUES = (
    None, "", "abc", b"\xff\xfe", -1, 2**62, 1e308, float("inf"), float("nan"), "\x1b[2J\n", "0",
)  # fmt: skip


class ConfigurationKind(TextKind):
    """A run's configuration in YAML."""

    name = "yaml"
    share = 2_000
    hostile = (
        _ANCHORS,
        "x: " + "[" * _NESTED,
        "!!python/object/apply:os.system ['true']",
        "? " * 2000,
        "x: " + "9" * 5000,
    )

    def files(self) -> dict[str, bytes]:
        """The default configuration."""
        return {"run.yaml": (_ROOT / "configs" / "default.yaml").read_bytes()}

    def read(self, folder: Path) -> Reading:
        """Reads it as ``--config`` does."""
        from hounsfield.pipeline.config import load_config

        load_config(str(folder / "run.yaml"))
        return Reading()


class ManifestKind(TextKind):
    """The manifest of a model."""

    name = "manifest"
    share = 2_000
    hostile = ("[" * _NESTED, '{"a":' * _NESTED, '"name": "' + "x" * 100_000 + '",')

    def files(self) -> dict[str, bytes]:
        """The manifest of a shipped model."""
        path = _ROOT / "models" / "weights" / "nodule_rater" / "manifest.json"
        return {"manifest.json": path.read_bytes()}

    def read(self, folder: Path) -> Reading:
        """Reads it as every command that lists models does."""
        from hounsfield.models.store.folders import read_manifest

        read_manifest(folder)
        return Reading()


class LedgerKind(Kind):
    """The ledger of an output folder."""

    name = "ledger"
    share = 2_000

    def files(self) -> dict[str, bytes]:
        """A ledger of 20 series and one run."""
        from hounsfield.pipeline.batch.ledger import LEDGER_NAME, Ledger, Row, RunRow

        with tempfile.TemporaryDirectory() as folder:
            with Ledger(Path(folder)) as ledger:
                ledger.start_run(RunRow("2026-01-31T10:00:00Z", None, 20, 0, 0))
                ledger.record(
                    Row(
                        f"/in/{number}", f"1.{number}", f"1.{number}.1", 1, "analysed",
                        seconds=12.5, findings=number, folder=f"studies/{number}",
                        finished_at="2026-01-31T10:05:00Z",
                    )
                    for number in range(20)
                )  # fmt: skip
            return {LEDGER_NAME: (Path(folder) / LEDGER_NAME).read_bytes()}

    def mutate(self, rng: Random) -> Mutation:
        """Changes bytes, or a value to one of another type."""
        [(name, content)] = self.contents.items()
        if rng.random() < 0.5:
            end = rng.choice((100, 4096, len(content)))
            how, changed = change_bytes(content, rng, 0, end)
            return Mutation({name: changed}, "bytes", how)
        connection = sqlite3.connect(":memory:")
        connection.deserialize(content)
        table = rng.choice(("series", "series", "run"))
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        column, value = rng.choice(columns), rng.choice(_ODD_VALUES)
        how = f"{value!r}"
        try:
            connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
        except sqlite3.IntegrityError:
            how = "unchanged"
        connection.commit()
        changed = connection.serialize()
        connection.close()
        return Mutation({name: changed}, f"{table}.{column}", how)

    def read(self, folder: Path) -> Reading:
        """Reads it as ``hounsfield status`` and a resumed run do."""
        from hounsfield.pipeline.batch.ledger import Ledger
        from hounsfield.pipeline.batch.status import read_status

        read_status(folder).lines()
        with Ledger(folder, read_only=True) as ledger:
            list(ledger.rows())
        return Reading()
