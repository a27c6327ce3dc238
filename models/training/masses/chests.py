"""Chests on the 3 mm lung grid, into which masses are inserted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM, find_lungs
from hounsfield.preprocessing.volume import apply_affine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

SIDE_MARGIN_VOXELS = 12
"""Kept around and above the lungs: ribs, muscle and fat, 36 mm."""

BELOW_MARGIN_VOXELS = 22
"""Kept below the lungs: liver, spleen and stomach, 66 mm."""

MIN_HU = -1024


@dataclass(frozen=True, slots=True)
class ChestSource:
    """Origin of a chest, for the model card.

    Attributes:
        dataset: Name of the data set.
        licence: Licence of its images.
        series_uid: SeriesInstanceUID; empty for a phantom.
    """

    dataset: str
    licence: str
    series_uid: str = ""


PHANTOMS = ChestSource("phantoms without nodules", "Apache-2.0")


@dataclass(frozen=True, slots=True, eq=False)
class Chest:
    """A chest without a labelled mass, upright (x left, y back, z head), 3 mm apart.

    Attributes:
        name: Name of its file; a phantom's ends in its seed.
        patient_id: Patient, by whom chests are split.
        synthetic: Whether it is a phantom.
        hu: int16 ``[z, y, x]``.
        lungs: uint8, same shape: 1 in the right lung, 2 in the left, vessels included.
        ignored: bool, same shape: unlabelled tumours and nodules, which count neither as mass nor
            as empty.
        source: Data set, licence and series.
    """

    name: str
    patient_id: str
    synthetic: bool
    hu: NDArray[np.int16]
    lungs: NDArray[np.uint8]
    ignored: NDArray[np.bool_]
    source: ChestSource

    def save(self, folder: Path) -> None:
        """Writes the chest as ``<name>.npz`` into an existing folder.

        Raises:
            OutputError: The file cannot be written.
        """
        facts = json.dumps([self.name, self.patient_id, self.synthetic, asdict(self.source)])
        with (
            atomic_file(folder / f"{self.name}.npz") as temporary,
            temporary.open("wb") as stream,
        ):
            np.savez_compressed(
                stream,
                hu=self.hu,
                lungs=self.lungs,
                ignored=np.packbits(self.ignored),
                facts=np.array(facts),
            )


def load_chest(path: Path) -> Chest:
    """Reads a chest.

    Args:
        path: File that `Chest.save` wrote.

    Returns:
        The chest as it was saved.
    """
    with np.load(path) as file:
        name, patient_id, synthetic, source = json.loads(str(file["facts"]))
        hu = file["hu"]
        ignored = np.unpackbits(file["ignored"], count=hu.size).reshape(hu.shape).astype(bool)
        return Chest(name, patient_id, synthetic, hu, file["lungs"], ignored, ChestSource(**source))


def load_chests(folders: Sequence[Path]) -> list[Chest]:
    """Reads every chest of some folders.

    Args:
        folders: Folders of files that `Chest.save` wrote.

    Returns:
        The chests in the order of their paths, at least one.

    Raises:
        UsageError: There is no chest in any of the folders.
    """
    paths = sorted(path for folder in folders for path in folder.glob("*.npz"))
    if not paths:
        msg = (
            f"no chests in {', '.join(map(str, folders))}: make them with "
            "`python -m hounsfield.models.training.masses.preparation`"
        )
        raise UsageError(msg)
    return [load_chest(path) for path in paths]


def chest_from_volume(
    volume: Volume,
    *,
    name: str,
    patient_id: str,
    source: ChestSource,
    ignored_balls: Sequence[tuple[float, float, float, float]] = (),
) -> Chest:
    """Brings a series to the lung grid and crops it to the lungs with a margin.

    Args:
        volume: A CT series in HU.
        name: Name of the chest's file, without suffix.
        patient_id: Patient, by whom chests are split.
        source: Data set, licence and series; `PHANTOMS` for a phantom.
        ignored_balls: Tumours and nodules to ignore: x, y, z of the centre in LPS mm, and the
            diameter in mm.

    Returns:
        The chest.

    Raises:
        SeriesError: There are no lungs in the series.
    """
    lungs = find_lungs(volume)
    inside = lungs.labels > 0
    low, high = (extreme(np.argwhere(inside), axis=0) for extreme in (np.min, np.max))
    margin = np.array([BELOW_MARGIN_VOXELS, SIDE_MARGIN_VOXELS, SIDE_MARGIN_VOXELS])
    first = np.maximum(low - margin, 0)
    last = np.minimum(high + SIDE_MARGIN_VOXELS + 1, inside.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    ignored = np.zeros_like(inside)
    for *centre_mm, diameter_mm in ignored_balls:
        z, y, x = np.ogrid[tuple(slice(0, size) for size in inside.shape)]
        centre = apply_affine(np.linalg.inv(lungs.affine), np.array(centre_mm))
        squared = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
        ignored |= squared <= (diameter_mm / 2 / LUNG_GRID_MM) ** 2
    return Chest(
        name=name,
        patient_id=patient_id,
        synthetic=source == PHANTOMS,
        source=source,
        hu=np.maximum(lungs.hu[box], MIN_HU).astype(np.int16),
        lungs=lungs.labels[box].copy(),
        ignored=ignored[box].copy(),
    )
