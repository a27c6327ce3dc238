"""Accuracy of growth measurements on pairs of phantom scans, with the shipped models.

Run as ``python -m benchmarks.growth [PAIRS]``; results to be quoted need 6 PAIRS. In the second
scan of a pair the phantom has another position and depth of breath, and each nodule another volume.
Both scans are analysed as by `hounsfield run`, with registration and comparison. A volume doubling
time counts as correct within 15 % of the true one.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom import NoduleSpec, PhantomSettings, Visit, make_phantom, write_phantom
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import run
from hounsfield.pipeline.batch.run_summary import RunOptions
from hounsfield.pipeline.config import load_config
from hounsfield.pipeline.report.schema import Report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hounsfield.data.phantom import Phantom
    from hounsfield.pipeline.report.growth_schema import NoduleChangeDocument

FIRST_SEED = 970_000
"""Not used in training."""

DAYS = 180
TOLERANCE = 0.15
MIN_MATCH_MM = 6.0
SLICES_MM = (1.0, 1.25, 2.0)
NODULES = (
    (NoduleSpec(diameter_mm=8.0), 2.0),
    (NoduleSpec(diameter_mm=12.0, margin="lobulated"), 1.5),
    (NoduleSpec(diameter_mm=10.0, margin="spiculated"), 3.0),
    (NoduleSpec(diameter_mm=9.0, place="vessel"), 2.5),
    (NoduleSpec(diameter_mm=11.0, place="pleura"), 2.0),
    (NoduleSpec(diameter_mm=14.0, density="part_solid"), 2.0),
    (NoduleSpec(diameter_mm=14.0, density="ground_glass"), 2.0),
    (NoduleSpec(diameter_mm=7.0), 1.0),
)
"""Nodules, and their volume in the second scan over that in the first."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One nodule of one pair: its ground truth, and its entry in the report.

    Attributes:
        kind: Size, density, margin and place, for the table.
        slices_mm: Distance of the slices.
        ratio: True volume in the second scan over that in the first.
        entry: None where the later study has no finding there.
        registration_error_mm: Distance between the mapped and the true place in the first scan.
    """

    kind: str
    slices_mm: float
    ratio: float
    entry: NoduleChangeDocument | None
    registration_error_mm: float | None


def main() -> None:
    """Prints a row for each nodule, and a summary."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    outcomes: list[_Outcome] = []
    for index in range(pairs):
        with tempfile.TemporaryDirectory() as name:
            outcomes += _evaluate_pair(index, Path(name))
    _print_outcomes(outcomes)


def _evaluate_pair(index: int, folder: Path) -> list[_Outcome]:
    """Makes a pair, analyses it, and reads the report of the second scan."""
    rng = np.random.default_rng(FIRST_SEED + index)
    slice_mm = SLICES_MM[index % len(SLICES_MM)]
    settings = PhantomSettings(
        shape_zyx=(round(300 / slice_mm), 448, 448),
        spacing_mm=(0.8, 0.8, slice_mm),
        kernel="standard",
    )
    specs = [spec for spec, _ in NODULES]
    visit = Visit(
        days=DAYS,
        breath_mm=float(rng.uniform(10, 22) * rng.choice([-1, 1])),
        shift_mm=(float(rng.normal(0, 6)), float(rng.normal(0, 6)), float(rng.normal(0, 6))),
        turn_rad=float(rng.normal(0, 0.04)),
        volume_ratio=tuple(ratio for _, ratio in NODULES),
    )
    first = make_phantom(FIRST_SEED + index, settings=settings, nodules=specs)
    write_phantom(first, folder / "input" / "first")
    later = make_phantom(FIRST_SEED + index, settings=settings, nodules=specs, visit=visit)
    write_phantom(later, folder / "input" / "later")
    started = time.perf_counter()
    run(
        [folder / "input"],
        out=folder / "out",
        config=load_config(),
        progress=Progress(quiet=True),
        options=RunOptions(),
    )
    seconds = time.perf_counter() - started
    (path,) = folder.glob(f"out/studies/{later.volume.series.study_uid}/*/report.json")
    report = Report.model_validate_json(path.read_bytes())
    assert report.growth is not None
    print(
        f"pair {index}: slices {slice_mm:g} mm, breath {visit.breath_mm:+.0f} mm, both studies in "
        f"{seconds:.0f} s, {report.times.peak_memory_mb:.0f} MB; registration "
        f"{report.times.seconds.get('register', 0.0):.1f} s, overlap {report.growth.lung_overlap}, "
        f"vessel_correlation {report.growth.vessel_correlation}; {report.growth.why_not}",
        flush=True,
    )
    return list(_outcomes(first, later, report, slice_mm))


def _print_outcomes(outcomes: Sequence[_Outcome]) -> None:
    """Prints every nodule, then fractions and medians."""
    print("nodule                        slices  true VDT  VDT    off      status")
    errors = []
    for outcome in outcomes:
        grows = outcome.ratio > 1.01
        true_days = DAYS * math.log(2) / math.log(outcome.ratio) if grows else math.inf
        days = outcome.entry.doubling_time_days if outcome.entry else None
        error = days / true_days - 1 if days and grows else None
        if grows:
            errors.append(error)
        status = outcome.entry.status.value if outcome.entry else "not found"
        cells = (
            f"{outcome.kind:30s}{outcome.slices_mm:5g}{true_days:10.0f}",
            f"{'-' if days is None else f'{days:.0f}':>7}",
            f"{'-' if error is None else f'{error:+.0%}':>8}      {status}",
        )
        print(*cells, sep="")
    known = [abs(error) for error in errors if error is not None]
    correct = sum(error <= TOLERANCE for error in known)
    print(f"doubling time within {TOLERANCE:.0%}: {correct} of {len(errors)} that grew", end="")
    if known:
        print(f"; median error {np.median(known):.1%} of {len(known)} reported as grown")
    stable = [outcome for outcome in outcomes if outcome.ratio <= 1.01]
    correct = sum(
        outcome.entry is not None and outcome.entry.status == "stable" for outcome in stable
    )
    print(f"stable nodules reported as stable: {correct} of {len(stable)}")
    errors_mm = [
        outcome.registration_error_mm
        for outcome in outcomes
        if outcome.registration_error_mm is not None
    ]
    if errors_mm:
        median_mm, max_mm = np.median(errors_mm), max(errors_mm)
        print(f"registration error: median {median_mm:.1f} mm, at most {max_mm:.1f} mm")


def _outcomes(
    first: Phantom, later: Phantom, report: Report, slices_mm: float
) -> Iterator[_Outcome]:
    assert report.growth is not None
    for then, now in zip(first.nodules, later.nodules, strict=True):
        spec = then.spec
        kind = f"{spec.diameter_mm:g} mm {spec.density} {spec.margin} {spec.place}"
        ratio = now.volume_mm3 / then.volume_mm3
        near = [
            finding
            for finding in report.findings
            if math.dist(finding.centre_world_mm, now.centre_world_mm)
            < max(MIN_MATCH_MM, now.diameter_mm / 2)
        ]
        entry = error_mm = None
        if near and report.growth.nodules:
            finding = max(near, key=lambda finding: finding.score)
            entry = report.growth.nodules[finding.finding - 1]
            if entry.earlier_place_world_mm is not None:
                error_mm = math.dist(entry.earlier_place_world_mm, then.centre_world_mm)
        yield _Outcome(kind, slices_mm, ratio, entry, error_mm)


if __name__ == "__main__":
    main()
