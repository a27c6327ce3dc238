"""Time to read 60 slices in each encoding, compared with SimpleITK in the same process.

Run as ``python -m benchmarks.decoding``. The slices are chest-like: smooth tissue with scanner
noise, 512 x 512 with 16 bits. Both read the files from the page cache, return HU and may use every
core; they take turns, so that other load meets both. The HU must be equal.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from benchmarks.material.encoded_pixels import ENCODERS, set_transfer_syntax
from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.dicom.grouping.series import group_instances
from hounsfield.preprocessing.dicom.headers.instance import read_instance
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.parallel import usable_threads
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

SLICES, EDGE = 60, 512
REPEATS = 7
SYNTAXES: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    *ENCODERS,
)


def main() -> None:
    """Prints median seconds of each reader, and how many times as fast as SimpleITK this one is."""
    print(
        f"reading {SLICES} slices of {EDGE} x {EDGE}, median of {REPEATS}, {usable_threads()} cores"
    )
    for syntax in SYNTAXES:
        with tempfile.TemporaryDirectory() as name:
            paths = _write_slices(Path(name), syntax)
            (series,) = group_instances([read_instance(ByteSource(path)) for path in paths])
            hu = read_dicom_volume(series).hu
            if not np.array_equal(hu, _read_simpleitk(paths)):
                msg = f"{syntax.name}: the HU are not those of SimpleITK"
                raise AssertionError(msg)
            ours, theirs = _median_seconds(
                partial(read_dicom_volume, series), partial(_read_simpleitk, paths)
            )
        print(f"  {syntax.name[:44]:44s} {ours:6.3f} s   SimpleITK {theirs:6.3f} s   ", end="")
        print(f"{theirs / ours:5.1f} x", flush=True)


def _write_slices(folder: Path, syntax: UID) -> list[Path]:
    datasets = _chest_like()
    for dataset in datasets:
        set_transfer_syntax(dataset, syntax)
    return save_series(datasets, folder)


def _chest_like() -> list[Dataset]:
    """Slices with air around a body of soft tissue with two lungs, and noise of 20 HU."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[-1 : 1 : EDGE * 1j, -1 : 1 : EDGE * 1j]
    flat = np.where((x / 0.85) ** 2 + (y / 0.6) ** 2 < 1, 40.0, -1000.0)
    for side in (-0.4, 0.4):
        flat[((x - side) / 0.28) ** 2 + (y / 0.42) ** 2 < 1] = -850.0
    noisy = flat + rng.normal(0, 20, (SLICES, EDGE, EDGE))
    hu = np.clip(np.rint(noisy), -1024, 3071).astype(np.int16)
    volume = Volume(hu, np.diag([0.7, 0.7, 1.0, 1.0]), SeriesFacts("1.2.3", "1.2.3.5"))
    return ct_datasets(volume)


def _read_simpleitk(paths: Sequence[Path]) -> NDArray[np.int16]:
    import SimpleITK

    hu = np.empty((len(paths), EDGE, EDGE), dtype=np.int16)
    for number, path in enumerate(paths):
        image = SimpleITK.ReadImage(str(path))
        hu[number] = SimpleITK.GetArrayViewFromImage(image)[0]
    return hu


def _median_seconds(*readers: Callable[[], object]) -> list[float]:
    """The median time of each reader, after a warm-up; they take turns."""
    times: list[list[float]] = [[] for _ in readers]
    for _ in range(REPEATS + 1):
        for reader, taken in zip(readers, times, strict=True):
            started = time.perf_counter()
            reader()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken[1:]) for taken in times]


if __name__ == "__main__":
    main()
