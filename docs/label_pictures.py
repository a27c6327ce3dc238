"""Draws the annotations of real series as the data set readers read them, to check them by eye.

Run as ``python docs/label_pictures.py REAL OUT``, where REAL holds folders such as
``lidc-idri-0001`` with a series and its annotations. The pictures show patients: keep them out
of the repository.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from hounsfield.data.readers.lidc_consensus import consensus_nodules
from hounsfield.data.readers.lidc_xml import read_lidc_xml
from hounsfield.data.readers.lung_pet_ct_dx import boxed_lesions, read_boxes
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.reading import read_volume

if TYPE_CHECKING:
    from hounsfield.preprocessing.volume import Volume

LUNG_WINDOW_HU = (-1350.0, 150.0)
MARGIN_MM = 30.0
SCALE = 4
MAJORITY_RGB, SPHERE_RGB, BOX_RGB = (255, 90, 60), (80, 200, 255), (255, 220, 0)


STEPS = (-0.3, 0.0, 0.3)
"""Slices through a finding, in diameters from its centre."""


def main(real: Path, out: Path) -> None:
    """Writes one picture per finding: three slices side by side, without text."""
    out.mkdir(parents=True, exist_ok=True)
    for folder in ("lidc-idri-0001", "lidc-idri-0002"):
        _draw_lidc_idri(real / folder, out)
    _draw_lung_pet_ct_dx(real / "lung-pet-ct-dx-a0001", out)


def _draw_lidc_idri(folder: Path, out: Path) -> None:
    volume = _volume(folder)
    for path in folder.glob("*.xml"):
        readings = read_lidc_xml(path)
        if readings is None:
            continue
        for number, nodule in enumerate(consensus_nodules(readings.nodules, volume)):
            mask = np.zeros(volume.shape_zyx, dtype=bool)
            mask.ravel()[nodule.majority.flat] = True
            slices = [
                _slice(volume, nodule.centre_world_mm, nodule.diameter_mm, step, mask)
                for step in STEPS
            ]
            _save(slices, out / f"{folder.name}-{number}.png")


def _draw_lung_pet_ct_dx(folder: Path, out: Path) -> None:
    volume = _volume(folder)
    boxes = [box for path in folder.rglob("*.xml") for box in read_boxes(path)]
    for number, lesion in enumerate(boxed_lesions(boxes, volume)):
        slices = [
            _slice(volume, lesion.centre_world_mm, lesion.diameter_mm, step, None, lesion.size_mm)
            for step in STEPS
        ]
        _save(slices, out / f"{folder.name}-{number}.png")


def _volume(folder: Path) -> Volume:
    usable = (series for series in discover([folder]).series if series.rejection is None)
    return read_volume(next(usable))


def _slice(
    volume: Volume,
    centre_world_mm: tuple[float, float, float],
    diameter_mm: float,
    step: float,
    mask: np.ndarray | None,
    size_mm: tuple[float, float, float] | None = None,
) -> Image.Image:
    """Cuts the slice at ``step`` diameters from the centre to the surroundings of the finding."""
    spacing = np.asarray(volume.spacing_mm)
    x, y, z = volume.voxel_xyz(centre_world_mm)
    plane = round(float(z + step * diameter_mm / spacing[2]))
    reach = np.ceil((diameter_mm / 2 + MARGIN_MM) / spacing[:2]).astype(int)
    low = np.maximum(np.rint((x, y)).astype(int) - reach, 0)
    high = np.minimum(np.rint((x, y)).astype(int) + reach, volume.shape_zyx[:0:-1])
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    lowest, highest = LUNG_WINDOW_HU
    grey = np.clip((volume.hu[plane][window] - lowest) / (highest - lowest), 0, 1) * 255
    image = Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    image = image.resize((image.width * SCALE, image.height * SCALE), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    if mask is not None:
        inside = np.kron(mask[plane][window], np.ones((SCALE, SCALE), dtype=bool))
        core = inside.copy()
        for axis in (0, 1):
            core &= np.roll(inside, 1, axis) & np.roll(inside, -1, axis)
        edge = np.asarray(image).copy()
        edge[inside & ~core] = MAJORITY_RGB
        image = Image.fromarray(edge)
        draw = ImageDraw.Draw(image)
    middle = (np.array((x, y)) - low + 0.5) * SCALE
    off_mm = (plane - z) * spacing[2]
    radius = np.sqrt(max((diameter_mm / 2) ** 2 - off_mm**2, 0)) / spacing[:2] * SCALE
    draw.ellipse([*(middle - radius), *(middle + radius)], outline=SPHERE_RGB)
    if size_mm is not None:
        half = np.array(size_mm[:2]) / 2 / spacing[:2] * SCALE
        draw.rectangle([*(middle - half), *(middle + half)], outline=BOX_RGB)
    return image


def _save(slices: list[Image.Image], path: Path) -> None:
    """Puts the slices side by side."""
    picture = Image.new("RGB", (sum(image.width for image in slices), slices[0].height))
    left = 0
    for image in slices:
        picture.paste(image, (left, 0))
        left += image.width
    picture.save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
