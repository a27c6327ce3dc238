"""A small LUNA16 of phantoms: ten subsets of MetaImage scans with all tables.

``python -m hounsfield.data.phantom.synthetic_luna16 OUT`` makes one, on which every step from the
download to the CPM can be tried.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom import (
    HISTOLOGIES,
    PhantomSettings,
    draw_nodule,
    make_phantom,
    write_phantom,
)
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_folder
from hounsfield.preprocessing.files.csv_files import write_csv
from hounsfield.preprocessing.volume import apply_affine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hounsfield.data.phantom import NoduleSpec, Phantom

SUBSETS = 10
SCANS = 20
NEGATIVES_PER_SCAN = 20
"""Positions without a nodule that ``candidates.csv`` lists per scan."""

DIAMETERS_MM = (4.0, 30.0)
"""LUNA16's nodules measure 3.3 to 32 mm."""

THIN = PhantomSettings(shape_zyx=(112, 256, 256), spacing_mm=(1.4, 1.4, 2.5), vessel_ends=4000)
"""The thickest slices that LUNA16 holds, with coarse pixels, so that a scan takes seconds."""

POSITION = ("seriesuid", "coordX", "coordY", "coordZ")

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Labels:
    """The rows that one scan adds to the tables."""

    nodules: list[Row]
    excluded: list[Row]
    candidates: list[Row]


def write_synthetic_luna16(
    out: Path,
    *,
    scans: int = SCANS,
    settings: PhantomSettings = THIN,
    first_seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Writes scans in turn into ``subset0`` to ``subset9``, and the four tables beside them.

    A quarter of the scans has no nodule. Of every second scan with several nodules, the smallest
    is listed among the excluded findings with a diameter of -1, like LUNA16's nodules of too few
    readers. ``candidates.csv`` has each nodule as class 1 and random positions in the lungs as
    class 0.

    Args:
        out: A folder that does not exist yet; it appears atomically.
        scans: Number of scans; ten fill each subset once.
        settings: Grid and scanner of every phantom.
        first_seed: Seed of the first scan; the others follow it.
        progress: Called with the number of finished scans and the number of all.

    Returns:
        `out`.

    Raises:
        UsageError: `out` exists.
        OutputError: `out` cannot be written.
    """
    if out.exists():
        msg = f"The synthetic LUNA16 needs a new folder, but {out} exists; name another"
        raise UsageError(msg)
    with atomic_folder(out) as folder:
        labels = []
        for number in range(scans):
            seed = first_seed + number
            nodules = [] if number % 4 == 3 else _draw_nodules(seed)
            phantom = make_phantom(seed, settings=settings, nodules=nodules)
            _write_scan(phantom, folder, f"subset{number % SUBSETS}")
            labels.append(_labels_of(phantom, exclude=number % 2 == 1))
            if progress is not None:
                progress(number + 1, scans)
        _write_tables(folder, labels)
    return out


def _draw_nodules(seed: int) -> list[NoduleSpec]:
    """Draws one to four nodules of any class."""
    rng = np.random.default_rng(seed)
    specs = [draw_nodule(str(rng.choice(HISTOLOGIES)), rng) for _ in range(rng.integers(1, 5))]
    sizes = np.clip([spec.diameter_mm for spec in specs], *DIAMETERS_MM)
    return [replace(spec, diameter_mm=float(mm)) for spec, mm in zip(specs, sizes, strict=True)]


def _write_scan(phantom: Phantom, out: Path, subset: str) -> None:
    """The ``.mhd`` and its ``.raw``."""
    study = write_phantom(phantom, out / "study", formats=("luna16",))
    (out / subset).mkdir(exist_ok=True)
    for path in (study / "luna16").glob(f"{phantom.volume.series.series_uid}.*"):
        path.rename(out / subset / path.name)
    shutil.rmtree(study)


def _labels_of(phantom: Phantom, *, exclude: bool) -> _Labels:
    uid = phantom.volume.series.series_uid
    by_size = sorted(phantom.nodules, key=lambda nodule: -nodule.diameter_mm)
    counted = by_size[:-1] if exclude and len(by_size) > 1 else by_size
    return _Labels(
        nodules=[(uid, *nodule.centre_world_mm, nodule.diameter_mm) for nodule in counted],
        excluded=[(uid, *nodule.centre_world_mm, -1) for nodule in by_size[len(counted) :]],
        candidates=[
            *((uid, *nodule.centre_world_mm, 1) for nodule in counted),
            *((uid, *position, 0) for position in _positions_without_nodule(phantom)),
        ],
    )


def _positions_without_nodule(phantom: Phantom) -> list[list[float]]:
    """Draws positions in the lungs outside every nodule, LPS mm."""
    rng = np.random.default_rng(phantom.seed)
    lung_zyx = np.argwhere(phantom.lung_labels > 0)
    chosen = rng.choice(len(lung_zyx), size=2 * NEGATIVES_PER_SCAN, replace=False)
    positions = apply_affine(phantom.volume.affine, lung_zyx[chosen][:, ::-1])
    outside = np.ones(len(positions), np.bool_)
    for nodule in phantom.nodules:
        distance_mm = np.linalg.norm(positions - nodule.centre_world_mm, axis=1)
        outside &= distance_mm > nodule.diameter_mm
    return [position.tolist() for position in positions[outside][:NEGATIVES_PER_SCAN]]


def _write_tables(out: Path, labels: Sequence[_Labels]) -> None:
    with_diameter = (*POSITION, "diameter_mm")
    nodules = [row for scan in labels for row in scan.nodules]
    excluded = [row for scan in labels for row in scan.excluded]
    candidates = [row for scan in labels for row in scan.candidates]
    write_csv(out / "annotations.csv", nodules, columns=with_diameter)
    write_csv(out / "annotations_excluded.csv", excluded, columns=with_diameter)
    write_csv(out / "candidates.csv", candidates, columns=(*POSITION, "class"))
    uids = sorted(path.stem for path in out.glob("subset*/*.mhd"))
    write_csv(out / "seriesuids.csv", ((uid,) for uid in uids))


def main() -> None:
    """Runs ``python -m hounsfield.data.phantom.synthetic_luna16``."""
    parser = argparse.ArgumentParser(prog="python -m hounsfield.data.phantom.synthetic_luna16")
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--scans", type=int, default=SCANS, help="number of scans (20)")
    options = parser.parse_args()

    def show(done: int, total: int) -> None:
        sys.stderr.write(f"{done} of {total} scans made\n")

    try:
        write_synthetic_luna16(options.out, scans=options.scans, progress=show)
    except UsageError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
