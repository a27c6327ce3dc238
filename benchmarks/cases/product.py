"""What a user sees of Hounsfield: the rows of ``inspect``, and the outcome of other commands."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hounsfield.pipeline.inspection import (
    InspectionRow,
    inspect,
    notices_from_headers,
    notices_from_pixels,
)

HOUNSFIELD = Path(sys.executable).parent / "hounsfield"
TIMEOUT_S = 900


@dataclass
class Product:
    """Hounsfield on one input.

    Attributes:
        input: The file or folder.
        scratch: A folder for what commands write.
    """

    input: Path
    scratch: Path

    @cached_property
    def rows(self) -> list[InspectionRow]:
        """Every series and file, judged as a run would before the networks."""
        return inspect([self.input], notices_of=notices_from_pixels)

    @cached_property
    def rows_by_headers(self) -> list[InspectionRow]:
        """The same without reading pixels."""
        return inspect([self.input], notices_of=notices_from_headers)

    @property
    def chosen(self) -> list[InspectionRow]:
        """The series that a run analyses."""
        return [row for row in self.rows if row.chosen]

    @property
    def reasons(self) -> list[str]:
        """The reason of everything that is not analysed, sorted."""
        return sorted(row.reason.value for row in self.rows if row.reason is not None)

    def command(self, *arguments: object) -> tuple[int, str]:
        """The exit code and all output of a command."""
        done = subprocess.run(
            [HOUNSFIELD, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def converted_hu(self, source: Path | None = None) -> np.ndarray | None:
        """The HU that ``convert`` writes, ``[z, y, x]``; None if it refuses."""
        out = self.scratch / "converted.npz"
        out.unlink(missing_ok=True)
        code, _ = self.command("convert", source or self.input, "--out", out)
        if code:
            return None
        with np.load(out) as arrays:
            return np.asarray(arrays["hu"])

    def run(self, *inputs: Path) -> RunOutput:
        """The outcome of a run on some inputs, by default on the whole input."""
        out = self.scratch / f"run-{len(list(self.scratch.glob('run-*')))}"
        code, words = self.command("run", *(inputs or [self.input]), "--out", out, "--quiet")
        return RunOutput(code, words, out)


@dataclass
class RunOutput:
    """The output folder of a run."""

    code: int
    words: str
    out: Path

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a table, as a spreadsheet would show them."""
        with (self.out / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def reports(self) -> list[dict[str, Any]]:
        """Every report of the run."""
        return [json.loads(path.read_text()) for path in sorted(self.out.rglob("report.json"))]
