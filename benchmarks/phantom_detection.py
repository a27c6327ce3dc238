"""Accuracy of the shipped detector on phantoms with seeds and scanners that are not in training.

Run as ``python -m benchmarks.phantom_detection [COUNT [FOLDER]]``; results to be quoted need a
COUNT of 60. The predictions are evaluated by the LUNA16 protocol. FOLDER keeps ground truth,
predictions and evaluation.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import shipped_models
from hounsfield.data.phantom import HISTOLOGIES, PhantomSettings, draw_nodule, make_phantom
from hounsfield.pipeline.evaluation.luna16.command import luna16_command, luna16_summary
from hounsfield.preprocessing.files.csv_files import read_csv, write_csv
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.parallel import available_processors
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.data.phantom import NoduleSpec, Phantom, PhantomNodule
    from hounsfield.models.findings import Candidate
    from hounsfield.models.inference.loading import Models

FIRST_SEED = 950_000
"""Far from the seeds of configs/data/phantoms.yaml. The predictions in those from 900,000 were
inspected before it was decided to train a reducer; those in these were not."""

NODULES = 6
DIAMETERS_MM = (4.0, 30.0)
PIXEL_MM = 0.85
SLICES_MM = ((1.0, 1.0), (1.0, 1.6), (1.75, 1.75), (2.2, 2.6))
"""Distance and thickness; neither they nor the pixel spacing occur in the training data."""

RATES = (0.25, 1.0, 4.0)
PLACE = ("coordX", "coordY", "coordZ")


def main() -> None:
    """Prints the summary of the protocol, sensitivities by kind of nodule, and the time."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as name:
        _search_phantoms(count, Path(sys.argv[2]) if len(sys.argv) > 2 else Path(name))


def _search_phantoms(count: int, folder: Path) -> None:
    """Makes, searches and evaluates phantoms; one is in memory at a time."""
    threads = available_processors()
    models = shipped_models(threads=threads)
    nodules: list[tuple[str, PhantomNodule]] = []
    candidates: list[tuple[str, Candidate]] = []
    series: list[str] = []
    seconds: list[float] = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        phantom = _phantom(seed)
        uid = phantom.volume.series.series_uid
        started = time.perf_counter()
        in_phantom = _search_one(models, phantom)
        seconds.append(time.perf_counter() - started)
        series.append(uid)
        nodules += [(uid, nodule) for nodule in phantom.nodules]
        candidates += [(uid, candidate) for candidate in in_phantom]
        print(f"{len(series)} of {count} phantoms", end="\r", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    truth = [(uid, *nodule.centre_world_mm, nodule.diameter_mm) for uid, nodule in nodules]
    write_csv(folder / "annotations.csv", truth, columns=("seriesuid", *PLACE, "diameter_mm"))
    scored = [(uid, *candidate.centre_world_mm, candidate.score) for uid, candidate in candidates]
    write_csv(folder / "predictions.csv", scored, columns=("seriesuid", *PLACE, "probability"))
    write_csv(folder / "series.csv", [(uid,) for uid in series], columns=("seriesuid",))
    evaluation = luna16_command(
        annotations=folder / "annotations.csv",
        excluded=None,
        series=folder / "series.csv",
        predictions=folder / "predictions.csv",
        out=folder / "evaluation",
    )
    print("\n".join(luna16_summary(evaluation)))
    nodules_csv = folder / "evaluation" / "nodules.csv"
    rates = [row["false_positives_per_scan"] for row in read_csv(nodules_csv)]
    _print_kinds([nodule for _, nodule in nodules], [float(rate or "inf") for rate in rates])
    print(f"\ndetection: {np.median(seconds):.2f} s per phantom (median), {threads} threads")


def _phantom(seed: int) -> Phantom:
    """A chest with nodules of every type, place and size; anatomy and scan depend on the seed."""
    rng = np.random.default_rng(seed)
    specs: list[NoduleSpec] = []
    while len(specs) < NODULES:
        spec = draw_nodule(str(rng.choice(HISTOLOGIES)), rng)
        if DIAMETERS_MM[0] <= spec.diameter_mm <= DIAMETERS_MM[1]:
            specs.append(spec)
    return make_phantom(seed, settings=unseen_scan(seed), nodules=specs)


def unseen_scan(seed: int) -> PhantomSettings:
    """Settings of a scan that no phantom of the training data has.

    Args:
        seed: Seed of the phantom, which selects slice distance and thickness.

    Returns:
        The settings, with voxels that differ from those of the training data.
    """
    distance_mm, thickness_mm = SLICES_MM[seed % len(SLICES_MM)]
    return PhantomSettings(
        shape_zyx=(round(320 / distance_mm), 420, 420),
        spacing_mm=(PIXEL_MM, PIXEL_MM, distance_mm),
        slice_thickness_mm=thickness_mm,
    )


def _search_one(models: Models, phantom: Phantom) -> list[Candidate]:
    volume = to_working_volume(phantom.volume, find_lungs(phantom.volume))
    candidates = models.detector.detect(volume)
    return models.reducer.reduce(volume, candidates) if models.reducer else candidates


def _print_kinds(nodules: Sequence[PhantomNodule], found_at: Sequence[float]) -> None:
    """Prints the sensitivity for each size, type and place.

    Args:
        nodules: Ground truth, in the order of `found_at`.
        found_at: False positives per scan at which each is found; infinite if it never is.
    """
    kinds = {
        "below 6 mm": [nodule.diameter_mm < 6 for nodule in nodules],
        "6 to 10 mm": [6 <= nodule.diameter_mm < 10 for nodule in nodules],
        "10 to 20 mm": [10 <= nodule.diameter_mm < 20 for nodule in nodules],
        "20 mm and more": [nodule.diameter_mm >= 20 for nodule in nodules],
    }
    for attribute in ("density", "margin", "place"):
        values = [getattr(nodule, attribute) for nodule in nodules]
        for name in sorted(set(values)):
            kinds[f"{name} ({attribute})"] = [value == name for value in values]
    rates = np.array(found_at)
    print("\n" + " " * 32 + "".join(f"{f'at {rate:g} FP':>12}" for rate in RATES))
    for name, members in kinds.items():
        chosen = rates[members]
        cells = "".join(f"{np.mean(chosen <= rate):12.3f}" for rate in RATES)
        print(f"{f'{name}: {len(chosen)}':32}{cells}")


if __name__ == "__main__":
    main()
