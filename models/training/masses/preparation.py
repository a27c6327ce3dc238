"""Prepares chests for the training of the mass detector, from real series and phantoms.

``python -m hounsfield.models.training.masses.preparation [LIST.yaml] --out FOLDER
[--phantoms COUNT --first-seed SEED] [--jobs COUNT]`` reads the real series that a list names, makes
phantoms, and writes one file for each chest.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from hounsfield.data.phantom import PhantomSettings, make_phantom
from hounsfield.models.training.masses.chests import (
    PHANTOMS,
    Chest,
    ChestSource,
    chest_from_volume,
)
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.documents import Strict, read_document
from hounsfield.preprocessing.errors import UsageError, writing_to
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM
from hounsfield.preprocessing.reading import read_volume

PHANTOM_PIXEL_MM, PHANTOM_SHAPE_ZYX = 2.6, (112, 152, 152)
PHANTOM_VESSEL_ENDS = 1200
"""As fine as the 3 mm grid needs; a chest takes two seconds."""


class ListedChest(Strict):
    """A real series without a labelled mass.

    Attributes:
        path: File or folder of the series, relative to the list.
        ignored: Tumours and nodules to ignore: x, y, z of the centre in LPS mm, and the diameter
            in mm.
    """

    name: str
    patient_id: str
    dataset: str
    licence: str
    path: Path
    ignored: tuple[tuple[float, float, float, float], ...] = ()


class ChestList(Strict):
    """The content of a list such as ``configs/data/mass_chests.yaml``."""

    version: Literal[1] = 1
    chests: tuple[ListedChest, ...] = Field(min_length=1)


def longest_series_chest(
    path: Path,
    *,
    name: str,
    patient_id: str,
    source: ChestSource,
    ignored_balls: tuple[tuple[float, float, float, float], ...] = (),
) -> Chest:
    """Reads the series with the most slices below a path as a chest.

    Args:
        path: File or folder of a study.
        name: Name of the chest's file, without suffix.
        patient_id: Patient, by whom chests are split.
        source: Data set and licence; the SeriesInstanceUID is filled in here.
        ignored_balls: Tumours and nodules to ignore: x, y, z of the centre in LPS mm, and the
            diameter in mm.

    Returns:
        The chest.

    Raises:
        UsageError: There is no series.
        SeriesError: The series cannot be read, or there are no lungs in it.
    """
    series = discover([path]).series
    if not series:
        msg = f"no series in {path}: give a folder of DICOM files, or a MetaImage or NIfTI file"
        raise UsageError(msg)
    volume = read_volume(max(series, key=lambda entry: (entry.shape_zyx or (0,))[0]))
    return chest_from_volume(
        volume,
        name=name,
        patient_id=patient_id,
        source=ChestSource(source.dataset, source.licence, volume.series.series_uid),
        ignored_balls=ignored_balls,
    )


def phantom_chest(seed: int) -> Chest:
    """Makes a phantom without nodules as a chest.

    Args:
        seed: Seed of the person and the scanner.

    Returns:
        The chest.
    """
    settings = PhantomSettings(
        shape_zyx=PHANTOM_SHAPE_ZYX,
        spacing_mm=(PHANTOM_PIXEL_MM, PHANTOM_PIXEL_MM, LUNG_GRID_MM),
        noise_hu=3.0,
        vessel_ends=PHANTOM_VESSEL_ENDS,
    )
    phantom = make_phantom(seed, settings=settings, nodules=())
    patient = phantom.volume.series.patient_id
    return chest_from_volume(
        phantom.volume, name=f"phantom-{seed}", patient_id=patient, source=PHANTOMS
    )


def save_phantom(seed: int, folder: Path) -> None:
    """Makes a phantom and writes it, unless its file exists.

    Args:
        seed: Seed of the person and the scanner.
        folder: Existing folder of the file.
    """
    if not (folder / f"phantom-{seed}.npz").exists():
        phantom_chest(seed).save(folder)


def save_listed(path: Path, folder: Path) -> None:
    """Writes the real series of a list as chests.

    Args:
        path: YAML file of a `ChestList`.
        folder: Existing folder of the files.

    Raises:
        UsageError: The list cannot be read, or a series is missing.
    """
    for entry in read_document(path, ChestList).chests:
        longest_series_chest(
            (path.parent / entry.path).resolve(),
            name=entry.name,
            patient_id=entry.patient_id,
            source=ChestSource(entry.dataset, entry.licence),
            ignored_balls=entry.ignored,
        ).save(folder)


def main() -> None:
    """Writes the chests of a list, and phantoms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=Path, nargs="?", help="YAML file that names real series")
    parser.add_argument("--out", type=Path, required=True, help="folder, created if missing")
    parser.add_argument("--phantoms", type=int, default=0, help="number of phantoms to make")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first phantom")
    parser.add_argument("--jobs", type=int, default=1, help="processes that make phantoms")
    arguments = parser.parse_args()
    with writing_to(arguments.out):
        arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.list is not None:
        save_listed(arguments.list, arguments.out)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.phantoms)
    with ProcessPoolExecutor(arguments.jobs) as pool:
        list(pool.map(partial(save_phantom, folder=arguments.out), seeds))


if __name__ == "__main__":
    main()
