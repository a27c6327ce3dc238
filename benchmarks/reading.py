"""Time to read 300 uncompressed slices of 512 x 512, compared with SimpleITK and MONAI.

Run as ``python -m benchmarks.reading``. All readers find the files and return one array of HU with
its geometry; the files are in the page cache.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.dicom.grouping.series import group_instances
from hounsfield.preprocessing.dicom.headers.instance import read_instance
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from collections.abc import Callable

SLICES, EDGE = 300, 512
REPEATS = 5


def main() -> None:
    """Prints median seconds of each reader, and their ratio to this one's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "ct"
        _write_series(folder)
        readers: dict[str, Callable[[Path], object]] = {
            "hounsfield": _read_hounsfield,
            "SimpleITK series reader": _read_simpleitk,
            "MONAI PydicomReader": _read_monai,
        }
        seconds = _median_seconds(readers, folder)
    print(f"reading {SLICES} raw slices of {EDGE} x {EDGE}, median of {REPEATS}")
    for label, value in seconds.items():
        print(f"  {label:26s} {value:6.3f} s   {value / seconds['hounsfield']:5.1f} x")


def _write_series(folder: Path) -> None:
    noise = np.random.default_rng(7).integers(-1000, 400, (SLICES, EDGE, EDGE), dtype=np.int16)
    affine = np.diag([0.7, 0.7, 1.0, 1.0])
    volume = Volume(noise, affine, SeriesFacts("1.2.3", "1.2.3.4", modality="CT"))
    save_series(ct_datasets(volume), folder)


def _read_hounsfield(folder: Path) -> object:
    instances = [read_instance(ByteSource(path)) for path in folder.iterdir()]
    (series,) = group_instances(instances)
    return read_dicom_volume(series)


def _read_simpleitk(folder: Path) -> object:
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return SimpleITK.GetArrayFromImage(reader.Execute())


def _read_monai(folder: Path) -> object:
    from monai.data.image_reader import PydicomReader

    reader = PydicomReader()
    return reader.get_data(reader.read(str(folder)))


def _median_seconds(readers: dict[str, Callable[[Path], object]], folder: Path) -> dict[str, float]:
    """Medians after a warm-up; the readers take turns, so that other load affects all alike."""
    times: dict[str, list[float]] = {label: [] for label in readers}
    for _ in range(REPEATS + 1):
        for label, read in readers.items():
            started = time.perf_counter()
            read(folder)
            times[label].append(time.perf_counter() - started)
    return {label: statistics.median(taken[1:]) for label, taken in times.items()}


if __name__ == "__main__":
    main()
