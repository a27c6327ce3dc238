"""What the shipped detector finds in phantoms whose seeds were never trained on.

Run as ``python -m benchmarks.phantom_detection [COUNT]``. Phantoms are made, brought to the working
grid, searched, and judged by the LUNA16 protocol.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.phantom import PhantomSettings, make_phantom
from models.loading import load_models
from pipeline.evaluation import luna16_command, luna16_summary
from preprocessing.lungs import find_lungs
from preprocessing.processors import available_processors
from preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_SEED = 900_000
"""Far from the seeds of configs/train_detector.yaml."""

DETECTOR, CLASSIFIER = "nodule_detector", "nodule_classifier"


def main() -> None:
    """Prints the protocol's summary and the seconds that detection took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    threads = available_processors()
    models = load_models(detector=DETECTOR, classifier=CLASSIFIER, threads=threads)
    nodules: list[tuple[object, ...]] = []
    marks: list[tuple[object, ...]] = []
    seconds: list[float] = []
    series: list[str] = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        phantom = make_phantom(seed, settings=_settings(seed))
        uid = phantom.volume.series.series_uid
        series.append(uid)
        nodules += [(uid, *n.centre_world_mm, n.diameter_mm) for n in phantom.nodules]
        volume = to_working_volume(phantom.volume, find_lungs(phantom.volume))
        started = time.perf_counter()
        found = models.detector.detect(volume)
        seconds.append(time.perf_counter() - started)
        marks += [(uid, *c.centre_world_mm, c.score) for c in found]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = ("coordX", "coordY", "coordZ")
        _write(folder / "annotations.csv", ("seriesuid", *place, "diameter_mm"), nodules)
        _write(folder / "predictions.csv", ("seriesuid", *place, "probability"), marks)
        _write(folder / "series.csv", ("seriesuid",), [(uid,) for uid in series])
        judged = luna16_command(
            annotations=folder / "annotations.csv",
            excluded=None,
            series=folder / "series.csv",
            predictions=folder / "predictions.csv",
            out=folder / "out",
        )
    print("\n".join(luna16_summary(judged)))
    print(f"detection: {np.median(seconds):.2f} s a phantom (median), {threads} threads")


def _settings(seed: int) -> PhantomSettings:
    """Scans of 1 to 2.5 mm with 6 nodules each; person and scanner follow from the seed."""
    slice_mm = (1.0, 1.5, 2.0, 2.5)[seed % 4]
    return PhantomSettings(
        shape_zyx=(round(320 / slice_mm), 384, 384),
        spacing_mm=(0.95, 0.95, slice_mm),
        nodule_count=6,
    )


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
