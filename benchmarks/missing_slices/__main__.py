"""Effect of interpolated slices on nodules, from which the limits in `depth_grid` were chosen.

Run as ``python -m benchmarks.missing_slices [FOLDER ...]``. Each FOLDER holds a chest CT; without
one a phantom with slices of 2 mm is made. Spheres are painted at free places of the lungs, slices
are removed and filled as the reader fills them, and the shipped models search and measure what is
left:

- by gap: adjacent slices are lost at a random height inside every sphere;
- by share: slices are lost at random places of the whole series.

A cell tells how many spheres are no longer reported of those that were reported in the intact
series, then the mean and the 95th percentile of the change of the measured volume, without its
sign; by gap also the mean error of the true volume. The row without a gap tells how many spheres
are reported at all, and the error of the true volume.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.missing_slices.inserted_spheres import make_background
from benchmarks.missing_slices.slice_removal import (
    KINDS,
    removals_by_gap,
    removals_by_share,
    rule_fills,
)
from benchmarks.missing_slices.sphere_search import load_searcher
from hounsfield.data.phantom import PhantomSettings, make_phantom
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.reading import read_volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.missing_slices.inserted_spheres import Background, SphereKind
    from benchmarks.missing_slices.slice_removal import SphereOutcome
    from benchmarks.missing_slices.sphere_search import Searcher

SEED = 22
MAX_GAP_MM, MIN_GAPS = 12.6, 2
"""The widest gap that is tried, and how many widths at least where the slices are thick."""

SHARES = (0.01, 0.02, 0.03, 0.04, 0.06)
PHANTOM = PhantomSettings(shape_zyx=(160, 420, 420), spacing_mm=(0.8, 0.8, 2.0), kernel="soft")


def main() -> None:
    """Prints two tables for each series."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.missing_slices",
        description=__doc__.splitlines()[0] if __doc__ else None,
    )
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=5, help="series of 40 spheres, by gap")
    parser.add_argument("--draws", type=int, default=10, help="random removals for each share")
    parser.add_argument("--quick", action="store_true", help="one round and two draws")
    arguments = parser.parse_args()
    rounds, draws = (1, 2) if arguments.quick else (arguments.rounds, arguments.draws)
    searcher = load_searcher()
    for background in _backgrounds(arguments.folders):
        started = time.perf_counter()
        slices, spacing_mm = len(background.volume.hu), background.volume.spacing_mm[2]
        print(f"\n### {background.name}, {slices} slices of {spacing_mm:.4g} mm\n", flush=True)
        if rounds:
            print(_gap_table(searcher, background, rounds), flush=True)
        if draws:
            print(_share_table(searcher, background, draws), flush=True)
        print(f"{time.perf_counter() - started:.0f} s", flush=True)


def _gap_table(searcher: Searcher, background: Background, rounds: int) -> str:
    """The table by gap; all spheres, and then all that are reported in the intact series."""
    volume, spacing_mm = background.volume, background.volume.spacing_mm[2]
    lost = range(1, max(MIN_GAPS, int(MAX_GAP_MM / spacing_mm) - 1) + 1)
    by_round = [
        removals_by_gap(searcher, background, lost, np.random.default_rng((SEED, 0, number)))
        for number in range(rounds)
    ]
    lines = [
        "| lost side by side | gap | rule |" + "".join(f" {_name(kind)} |" for kind in KINDS),
        "| --- | --- | --- |" + " --- |" * len(KINDS),
    ]
    columns = {
        kind: [
            [sphere for outcome in outcomes for sphere in outcome.spheres if sphere.kind == kind]
            for outcomes in zip(*by_round, strict=True)
        ]
        for kind in KINDS
    }
    lines.append("| 0 | | |" + "".join(f" {_intact_cell(columns[kind][0])} |" for kind in KINDS))
    for row, count in enumerate(lost):
        middle = range(len(volume.hu) // 2, len(volume.hu) // 2 + count)
        rule = "filled" if rule_fills(volume, middle) else "refused"
        cells = "".join(f" {_gap_cell(columns[kind][row])} |" for kind in KINDS)
        lines.append(f"| {count} | {(count + 1) * spacing_mm:.4g} mm | {rule} |{cells}")
    return "\n".join(lines) + "\n"


def _share_table(searcher: Searcher, background: Background, draws: int) -> str:
    """The table by share, where the rule fills and where it refuses."""
    by_draw = [
        removals_by_share(searcher, background, SHARES, np.random.default_rng((SEED, 1, number)))
        for number in range(draws)
    ]
    lines = [
        "| lost | slices | rule | touched |"
        + "".join(f" {_name(kind)} |" for kind in KINDS)
        + " false positives gained |",
        "| --- | --- | --- | --- |" + " --- |" * (len(KINDS) + 1),
    ]
    for share, outcomes in zip(SHARES, zip(*by_draw, strict=True), strict=True):
        for filled in (True, False):
            chosen = [outcome for outcome in outcomes if outcome.filled_by_rule == filled]
            if not chosen:
                continue
            spheres = [sphere for outcome in chosen for sphere in outcome.spheres]
            touched = np.mean([sphere.touched for sphere in spheres])
            rule = f"{'filled' if filled else 'refused'} {len(chosen)} of {len(outcomes)}"
            cells = "".join(
                f" {_change_cell([sphere for sphere in spheres if sphere.kind == kind])} |"
                for kind in KINDS
            )
            gained = np.mean([outcome.false_positives for outcome in chosen])
            lines.append(
                f"| {share:.0%} | {len(chosen[0].missing)} | {rule} | {touched:.0%} |{cells} "
                f"{gained:.1f} |"
            )
    return "\n".join(lines) + "\n"


def _intact_cell(spheres: Sequence[SphereOutcome]) -> str:
    """Of the intact series: reported of all; mean and 95th percentile of the error of the truth."""
    found = [sphere for sphere in spheres if sphere.before]
    error = np.abs([sphere.error_before for sphere in found])
    return f"{len(found)} of {len(spheres)}; {_mean_and_95th(error)}"


def _gap_cell(spheres: Sequence[SphereOutcome]) -> str:
    """As `_change_cell`, and the mean error of the truth."""
    error = np.abs([sphere.error_after for sphere in spheres if sphere.before])
    return _change_cell(spheres) + (f" ({error.mean():.0%})" if len(error) else "")


def _change_cell(spheres: Sequence[SphereOutcome]) -> str:
    """Lost of those reported before; mean and 95th percentile of the volume's change."""
    found = [sphere for sphere in spheres if sphere.before]
    lost = sum(not sphere.after for sphere in found)
    change = np.abs([sphere.change for sphere in found if np.isfinite(sphere.change)])
    return f"{lost} of {len(found)}; {_mean_and_95th(change)}"


def _mean_and_95th(values: NDArray[np.float64]) -> str:
    if not len(values):
        return ""
    return f"{values.mean():.0%}, {np.quantile(values, 0.95):.0%}"


def _name(kind: SphereKind) -> str:
    return f"{kind.diameter_mm:g} mm {kind.density.replace('_', '-')}"


def _backgrounds(folders: Sequence[Path]) -> Iterator[Background]:
    """The longest series of each folder, or a phantom."""
    if not folders:
        phantom = make_phantom(SEED, settings=PHANTOM, nodules=[])
        yield make_background("phantom", phantom.volume)
    for folder in folders:
        found = discover([folder]).series if folder.is_dir() else ()
        volumes = [read_volume(series) for series in found if series.rejection is None]
        if not volumes:
            print(f"\nnot run: {folder.name} is not there or holds no chest CT")
            continue
        longest = max(volumes, key=lambda volume: len(volume.hu))
        yield make_background(folder.name, longest)


if __name__ == "__main__":
    main()
