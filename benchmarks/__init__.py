"""Benchmarks: speed compared with other software, and accuracy of the shipped models."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hounsfield.models.inference.loading import Models


def shipped_models(*, threads: int) -> Models:
    """Loads detector, reducer and classifier of the default configuration.

    Args:
        threads: Maximum number of CPU threads per inference.

    Returns:
        The models without segmenter and rater.
    """
    from hounsfield.models.inference.loading import load_models
    from hounsfield.pipeline.config import load_config

    chosen = load_config().models
    return load_models(
        detector=chosen.detector,
        classifier=chosen.classifier,
        reducer=chosen.reducer,
        threads=threads,
    )


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file.

    Args:
        path: File to write, which is replaced.
        header: Names of the columns.
        rows: One sequence per row, as long as the header.
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
