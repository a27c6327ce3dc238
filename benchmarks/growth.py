"""Growth of digital nodules between two scans of one person, with the shipped models.

Run as ``python -m benchmarks.growth [PAIRS]``; 6 for a figure to quote. In the second scan of a
pair the person lies elsewhere, breathes otherwise, and each nodule has another volume. Both go the
way of `hounsfield run`: read, lungs, detection, outlines, registration, comparison. A volume
doubling time counts as right within 15 % of the true one.
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
"""Never trained on."""

DAYS = 180
WITHIN = 0.15
NEAR_MM = 6.0
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
"""What is drawn, and its volume at the second scan over that at the first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One nodule of one pair: the truth, and what the report said of it.

    Attributes:
        ratio: True volume now over that then, of what was drawn.
        entry: None where the later study has no finding there.
        earlier_off_mm: From where the place was mapped to the earlier nodule's true place.
    """

    kind: str
    slices_mm: float
    ratio: float
    entry: NoduleChangeDocument | None
    earlier_off_mm: float | None


def main() -> None:
    """Prints a row for each nodule, and what became of all."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    outcomes: list[Outcome] = []
    for index in range(pairs):
        with tempfile.TemporaryDirectory() as name:
            outcomes += judge_pair(index, Path(name))
    print_outcomes(outcomes)


def judge_pair(index: int, folder: Path) -> list[Outcome]:
    """Makes a pair, runs over it, and reads the later report."""
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


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Every nodule, then the shares and medians."""
    print("nodule                        slices  true VDT  VDT    off      status")
    errors = []
    for one in outcomes:
        true_days = DAYS * math.log(2) / math.log(one.ratio) if one.ratio > 1.01 else math.inf
        told = one.entry.doubling_time_days if one.entry else None
        error = told / true_days - 1 if told and math.isfinite(true_days) else None
        if math.isfinite(true_days):
            errors.append(error)
        status = one.entry.status.value if one.entry else "not found"
        shown = "-" if told is None else f"{told:.0f}"
        off = "-" if error is None else f"{error:+.0%}"
        print(f"{one.kind:30s}{one.slices_mm:5g}{true_days:10.0f}{shown:>7}{off:>8}      {status}")
    known = [abs(error) for error in errors if error is not None]
    right = sum(error <= WITHIN for error in known)
    print(f"doubling time within {WITHIN:.0%}: {right} of {len(errors)} that grew", end="")
    if known:
        print(f"; median error {np.median(known):.1%} of {len(known)} that were called grown")
    stable = [one for one in outcomes if one.ratio <= 1.01]
    quiet = sum(one.entry is not None and one.entry.status == "stable" for one in stable)
    print(f"stable ones called stable: {quiet} of {len(stable)}")
    away = [one.earlier_off_mm for one in outcomes if one.earlier_off_mm is not None]
    if away:
        print(f"places carried over: off by {np.median(away):.1f} mm, at most {max(away):.1f} mm")


def _outcomes(
    first: Phantom, later: Phantom, report: Report, slices_mm: float
) -> Iterator[Outcome]:
    assert report.growth is not None
    for then, now in zip(first.nodules, later.nodules, strict=True):
        spec = then.spec
        kind = f"{spec.diameter_mm:g} mm {spec.density} {spec.margin} {spec.place}"
        ratio = now.volume_mm3 / then.volume_mm3
        near = [
            one
            for one in report.findings
            if math.dist(one.centre_world_mm, now.centre_world_mm)
            < max(NEAR_MM, now.diameter_mm / 2)
        ]
        entry = off_mm = None
        if near and report.growth.nodules:
            finding = max(near, key=lambda one: one.score)
            entry = report.growth.nodules[finding.finding - 1]
            if entry.earlier_place_world_mm is not None:
                off_mm = math.dist(entry.earlier_place_world_mm, then.centre_world_mm)
        yield Outcome(kind, slices_mm, ratio, entry, off_mm)


if __name__ == "__main__":
    main()
