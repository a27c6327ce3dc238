"""Time of all stages before the network, and of resampling compared with other libraries.

Run as ``python -m benchmarks.preprocessing``. The study is a phantom of 512 x 512 x 300, written as
uncompressed DICOM into the page cache; making it takes about 15 s. Times are medians of repeats
in one process, without imports; peak memory is that of the whole process.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.geometry.resampling import resample_separable
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.quality.assess import assess_quality
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.working_grid import normalise_hu, to_working_volume

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

REPEATS = 5
SPACING_XYZ_MM = (0.703, 0.703, 1.11)
HU_WINDOW = (-1000.0, 400.0)


def main() -> None:
    """Prints times, ratios and peak memory; with a folder as argument, those of that series."""
    if len(sys.argv) > 1:
        _measure_stages(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "ct"
        _write_phantom(folder)
        # In a process of its own: the memory of this one includes the phantom and other libraries.
        command = [sys.executable, "-m", "benchmarks.preprocessing", str(folder)]
        subprocess.run(command, check=True)
        hu = _read(folder).hu
    _compare_resampling(hu)


def _write_phantom(folder: Path) -> None:
    from hounsfield.data.phantom.ct_series import ct_datasets, save_series
    from hounsfield.data.phantom.phantom import make_phantom

    save_series(ct_datasets(make_phantom(1).volume), folder)


def _read(folder: Path) -> Volume:
    (series,) = discover([folder]).series
    return read_volume(series)


def _measure_stages(folder: Path) -> None:
    """Times the stages before the network."""
    rounds = []
    for _ in range(REPEATS + 1):
        times = [time.perf_counter()]
        volume = _read(folder)
        times.append(time.perf_counter())
        lungs = find_lungs(volume)
        times.append(time.perf_counter())
        assess_quality(volume, lungs)
        times.append(time.perf_counter())
        working = to_working_volume(volume, lungs)
        normalise_hu(working.hu, HU_WINDOW)
        times.append(time.perf_counter())
        rounds.append([*np.diff(times), times[-1] - times[0]])
    shape = " x ".join(str(size) for size in volume.shape_zyx[::-1])
    print(f"before the network, {shape}, median of {REPEATS}")
    stages = ("files to volume", "lungs", "quality verdict", "working grid, window", "all")
    for stage, values in zip(stages, zip(*rounds[1:], strict=True), strict=True):
        print(f"  {stage:26s} {statistics.median(values):6.3f} s")
    print(f"  {'peak memory':26s} {peak_memory_gb():6.2f} GB")


def peak_memory_gb() -> float:
    """Returns the peak resident memory of this process in GB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e9


def _compare_resampling(hu: NDArray[np.int16]) -> None:
    """Times resampling of the whole array to 1 mm, by Hounsfield and by other libraries."""
    resamplers: dict[str, Callable[[NDArray[np.int16]], object]] = {
        "hounsfield": _resample_hounsfield,
        "hounsfield, one thread": lambda hu: _resample_hounsfield(hu, threads=1),
        "SimpleITK Resample": _resample_simpleitk,
        "MONAI Spacing": _resample_monai,
    }
    seconds = {name: _median_seconds(resample, hu) for name, resample in resamplers.items()}
    spacing = " x ".join(str(step) for step in SPACING_XYZ_MM)
    print(f"resampling from {spacing} to 1 mm, linear, median of {REPEATS}")
    for name, value in seconds.items():
        print(f"  {name:26s} {value:6.3f} s   {value / seconds['hounsfield']:5.1f} x")


def _resample_hounsfield(hu: NDArray[np.int16], threads: int | None = None) -> object:
    sizes = zip(hu.shape, SPACING_XYZ_MM[::-1], strict=True)
    z, y, x = (np.arange(int(size * step)) / step for size, step in sizes)
    return resample_separable(hu, (z, y, x), threads=threads)


def _resample_simpleitk(hu: NDArray[np.int16]) -> object:
    """From array to array, with SimpleITK's own threads."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(hu)
    image.SetSpacing(SPACING_XYZ_MM)
    sizes = zip(image.GetSize(), SPACING_XYZ_MM, strict=True)
    grid = SimpleITK.Image([int(size * step) for size, step in sizes], SimpleITK.sitkInt16)
    moved = SimpleITK.Resample(image, grid, SimpleITK.Transform(), SimpleITK.sitkLinear, -1000.0)
    return SimpleITK.GetArrayFromImage(moved)


def _resample_monai(hu: NDArray[np.int16]) -> object:
    import torch
    from monai.data import MetaTensor
    from monai.transforms import Spacing

    image = torch.from_numpy(hu.astype(np.float32)).permute(2, 1, 0)[None]
    affine = torch.diag(torch.tensor([*SPACING_XYZ_MM, 1.0]))
    return Spacing(pixdim=(1.0, 1.0, 1.0), mode="bilinear")(MetaTensor(image, affine=affine))


def _median_seconds(
    resample: Callable[[NDArray[np.int16]], object], hu: NDArray[np.int16]
) -> float:
    resample(hu)
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        resample(hu)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
