"""Time to decode 60 slices of each transfer syntax, compared with SimpleITK in the same process.

Run as ``python -m benchmarks.decoding``. The slices are chest-like: smooth tissue with scanner
noise, 512 x 512 with 16 bits. Both read the files from the page cache and return HU; one thread.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from hounsfield.data.phantom.ct_series import ct_datasets
from hounsfield.preprocessing.dicom.header import read_instance
from hounsfield.preprocessing.dicom.series import group_instances
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.volume import SeriesFacts, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

SLICES, EDGE = 60, 512
REPEATS = 5


def main() -> None:
    """Prints median seconds of each decoder and its speed relative to SimpleITK."""
    print(f"decoding {SLICES} slices of {EDGE} x {EDGE}, median of {REPEATS}")
    for syntax, encode in _encoders().items():
        with tempfile.TemporaryDirectory() as name:
            paths = _write_slices(Path(name), syntax, encode)
            (series,) = group_instances([read_instance(ByteSource(path)) for path in paths])
            ours = _median_seconds(lambda series=series: read_dicom_volume(series))
            theirs = _median_seconds(lambda paths=paths: _read_simpleitk(paths))
        print(f"  {syntax.name[:44]:44s} {ours:6.3f} s   SimpleITK {theirs:6.3f} s   ", end="")
        print(f"{theirs / ours:5.1f} x")


def _encoders() -> dict[UID, Callable[[NDArray[np.uint16]], bytes]]:
    import imagecodecs
    from rle.utils import encode_pixel_data

    return {
        RLELossless: lambda pixels: encode_pixel_data(
            pixels.tobytes(),
            rows=EDGE,
            columns=EDGE,
            samples_per_pixel=1,
            bits_allocated=16,
            number_of_frames=1,
            byteorder="<",
        ),
        JPEGLSLossless: imagecodecs.jpegls_encode,
        JPEGLosslessSV1: lambda pixels: imagecodecs.jpeg8_encode(
            pixels, lossless=True, predictor=1, bitspersample=16
        ),
        JPEG2000Lossless: lambda pixels: imagecodecs.jpeg2k_encode(
            pixels, codecformat="j2k", reversible=True, level=0
        ),
    }


def _write_slices(
    folder: Path, syntax: UID, encode: Callable[[NDArray[np.uint16]], bytes]
) -> list[Path]:
    paths = []
    for number, dataset in enumerate(_chest_like()):
        pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(EDGE, EDGE)
        dataset.PixelData = encapsulate([encode(np.ascontiguousarray(pixels))])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax
        paths.append(folder / f"{number:03d}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def _chest_like() -> list[Dataset]:
    """Slices with air around a body of soft tissue with two lungs, and noise of 20 HU."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[-1 : 1 : EDGE * 1j, -1 : 1 : EDGE * 1j]  # type: ignore[misc]
    flat = np.where((x / 0.85) ** 2 + (y / 0.6) ** 2 < 1, 40.0, -1000.0)
    for side in (-0.4, 0.4):
        flat[((x - side) / 0.28) ** 2 + (y / 0.42) ** 2 < 1] = -850.0
    hu = flat + rng.normal(0, 20, (SLICES, EDGE, EDGE))
    hu = np.clip(np.rint(hu), -1024, 3071).astype(np.int16)
    volume = Volume(hu, np.diag([0.7, 0.7, 1.0, 1.0]), SeriesFacts("1.2.3", "1.2.3.5"))
    return ct_datasets(volume)


def _read_simpleitk(paths: Sequence[Path]) -> None:
    import SimpleITK

    for path in paths:
        SimpleITK.GetArrayViewFromImage(SimpleITK.ReadImage(str(path)))


def _median_seconds(read: Callable[[], object]) -> float:
    read()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        read()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
