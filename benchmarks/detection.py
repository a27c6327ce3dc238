"""Time and memory of detection on an ordinary computer, compared with the MONAI bundle.

Run as ``python -m benchmarks.detection``. The study is a phantom of 512 x 512 x 300 at 0.7 x 0.7 x
1 mm, written as DICOM into the page cache; making it takes about 15 s.
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

from benchmarks import shipped_models
from benchmarks.preprocessing import peak_memory_gb
from hounsfield.data.phantom import make_phantom, write_phantom
from hounsfield.models.inference.runtimes import openvino_core
from hounsfield.models.networks.centre_heatmap import SIZE_DIVISOR
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.parallel import available_processors
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 3
MATRIX, PRODUCTS = 3000, 12
SAMPLED_EVERY_S = 0.02


def main() -> None:
    """Prints all results; with a folder as argument, those of the detection in that series."""
    if len(sys.argv) > 1:
        _measure_detection(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_phantom(make_phantom(1), folder / "study", formats=["dicom"])
        _measure_run(folder / "study", folder / "out")
        # In a process of its own: the memory of this one includes the phantom.
        command = [sys.executable, "-m", "benchmarks.detection", str(folder / "study")]
        subprocess.run(command, check=True)


def _measure_run(study: Path, out: Path) -> None:
    """Measures the whole command from files to report, including its start."""
    seconds, megabytes = [], []
    for repeat in range(REPEATS):
        started = time.perf_counter()
        command = ["run", str(study), "--out", str(out / str(repeat)), "--quiet"]
        process = subprocess.Popen([str(Path(sys.executable).with_name("hounsfield")), *command])
        peak_mb = 0.0
        while process.poll() is None:
            peak_mb = max(peak_mb, _resident_mb(process.pid))
            time.sleep(SAMPLED_EVERY_S)
        seconds.append(time.perf_counter() - started)
        megabytes.append(peak_mb)
    print(f"hounsfield run, {available_processors()} CPUs, median of {REPEATS}")
    print(f"  {statistics.median(seconds):6.2f} s   (target: 10)")
    print(f"  {max(megabytes):6.0f} MB  peak of all its processes (target: 2,000)", flush=True)


def _measure_detection(study: Path) -> None:
    """Measures detector and reducer, the peak speed of the machine, and the bundle."""
    (series,) = discover([study]).series
    volume = read_volume(series)
    working = to_working_volume(volume, find_lungs(volume))
    threads = available_processors()
    models = shipped_models(threads=threads)
    detecting, reducing = [], []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        candidates = models.detector.detect(working)
        detected = time.perf_counter()
        if models.reducer is not None:
            models.reducer.reduce(working, candidates)
        detecting.append(detected - started)
        reducing.append(time.perf_counter() - detected)
    detector_s, reducer_s = (statistics.median(times[1:]) for times in (detecting, reducing))
    peak_mb = 1000 * peak_memory_gb()  # before torch is imported, which only the comparison needs
    import torch

    from benchmarks.retina import compare

    box = [size + -size % SIZE_DIVISOR for size in working.hu.shape]
    flops = _detector_flops(models.stored.detector.manifest.network, box)
    peak = _peak_flops(threads)
    gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if gpu else f"{threads} CPUs"
    print(f"detection in a lung box of {box[::-1]}, {device}, median of {REPEATS}")
    print(f"  {detector_s:6.2f} s   detector, {flops / 1e9:.0f} GFLOP")
    print(f"  {reducer_s:6.2f} s   reducer")
    print(f"  {detector_s + reducer_s:6.2f} s   both (target: 5)")
    print(f"  {peak_mb:6.0f} MB  with reading and lungs (target: 1,500)")
    print(f"  {flops / detector_s / peak:6.2f}     of {peak / 1e9:.0f} GFLOP/s, the measured peak")
    if gpu:
        print(f"  {60 / (detector_s + reducer_s):6.0f}     studies per minute")
    print("the MONAI bundle's RetinaNet, float32, on the CPU")
    bundle_s = compare()
    print(f"this detector is {bundle_s / (detector_s + reducer_s):.0f} times as fast as the bundle")


def _detector_flops(network: dict[str, object], box: list[int]) -> int:
    """Counts multiplications and additions of one pass, without computing it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from hounsfield.models.networks.centre_net import CentreNet

    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        CentreNet(**network).eval()(torch.empty(1, 1, *box))  # type: ignore[arg-type]
    return int(counter.get_total_flops())


def _peak_flops(threads: int) -> float:
    """Operations per second of a large float32 matrix product in the backend of this machine."""
    import torch

    if torch.cuda.is_available():
        matrix = torch.rand(MATRIX, MATRIX, device="cuda")
        return _best_flops(lambda: float((matrix @ matrix)[0, 0]))
    import openvino
    from openvino import opset15

    values = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    operand = opset15.parameter(values.shape, np.float32)
    product = opset15.matmul(operand, opset15.constant(values), False, False)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    model = openvino.Model([product], [operand])
    compiled = openvino_core().compile_model(model, "CPU", settings)
    return _best_flops(lambda: compiled(values))


def _best_flops(multiply: Callable[[], object]) -> float:
    best = 0.0
    for _ in range(PRODUCTS):
        started = time.perf_counter()
        multiply()
        best = max(best, 2 * MATRIX**3 / (time.perf_counter() - started))
    return best


def _resident_mb(pid: int) -> float:
    """Resident memory of a process and its descendants; shared pages count for each (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return own * 1024 / 1e6 + sum(_resident_mb(int(child)) for child in children)


if __name__ == "__main__":
    main()
