"""Detection on an ordinary computer: seconds, memory, and how that compares with the MONAI bundle.

Run as ``python -m benchmarks.detection``. The study is a phantom of 512 x 512 x 300 at 0.7 x 0.7 x
1 mm, written as DICOM into the page cache; making it takes a quarter of a minute.
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
    """Prints each figure; with a folder as argument, of the detection of that series alone."""
    if len(sys.argv) > 1:
        measure_detection(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_phantom(make_phantom(1), folder / "study", formats=["dicom"])
        measure_run(folder / "study", folder / "out")
        # In a process of its own: this one has held the phantom.
        command = [sys.executable, "-m", "benchmarks.detection", str(folder / "study")]
        subprocess.run(command, check=True)


def measure_run(study: Path, out: Path) -> None:
    """The whole command, from files to report, its start included."""
    seconds, megabytes = [], []
    for repeat in range(REPEATS):
        started = time.perf_counter()
        command = ["run", str(study), "--out", str(out / str(repeat)), "--quiet"]
        process = subprocess.Popen([str(Path(sys.executable).with_name("hounsfield")), *command])
        most = 0.0
        while process.poll() is None:
            most = max(most, _resident_mb(process.pid))
            time.sleep(SAMPLED_EVERY_S)
        seconds.append(time.perf_counter() - started)
        megabytes.append(most)
    print(f"hounsfield run, {available_processors()} processors, median of {REPEATS}")
    print(f"  {statistics.median(seconds):6.2f} s   (aim: 10)")
    print(f"  {max(megabytes):6.0f} MB  all its processes, most at once (aim: 2,000)", flush=True)


def measure_detection(study: Path) -> None:
    """Detector and reducer, beside what the machine could do and what the bundle would take."""
    (series,) = discover([study]).series
    volume = read_volume(series)
    working = to_working_volume(volume, find_lungs(volume))
    threads = available_processors()
    models = shipped_models(threads=threads)
    detecting, reducing = [], []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        marks = models.detector.detect(working)
        detected = time.perf_counter()
        if models.reducer is not None:
            models.reducer.reduce(working, marks)
        detecting.append(detected - started)
        reducing.append(time.perf_counter() - detected)
    seconds, further = (statistics.median(times[1:]) for times in (detecting, reducing))
    peak_mb = 1000 * peak_memory_gb()  # before torch comes in, for the comparison alone
    import torch

    from benchmarks.retina import compare

    box = [size + -size % SIZE_DIVISOR for size in working.hu.shape]
    flops = detector_flops(models.detector_manifest.network, box)
    peak = peak_flops(threads)
    gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if gpu else f"{threads} processors"
    print(f"detection in a lung box of {box[::-1]}, {device}, median of {REPEATS}")
    print(f"  {seconds:6.2f} s   detector, {flops / 1e9:.0f} GFLOP")
    print(f"  {further:6.2f} s   reducer")
    print(f"  {seconds + further:6.2f} s   both (aim: 5)")
    print(f"  {peak_mb:6.0f} MB  with reading and lungs (aim: 1,500)")
    print(f"  {flops / seconds / peak:6.2f}     of {peak / 1e9:.0f} GFLOP/s, the measured peak")
    if gpu:
        print(f"  {60 / (seconds + further):6.0f}     studies a minute")
    print("the MONAI bundle's RetinaNet, float32, on the processor")
    shipped_s = compare()
    print(f"this detector is {shipped_s / (seconds + further):.0f} times as fast as the bundle")


def detector_flops(network: dict[str, object], box: list[int]) -> int:
    """Multiplications and additions of one pass; nothing is computed for it."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from hounsfield.models.networks.centre_net import CentreNet

    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        CentreNet(**network).eval()(torch.empty(1, 1, *box))  # type: ignore[arg-type]
    return int(counter.get_total_flops())


def peak_flops(threads: int) -> float:
    """What a large product of matrices in float32 reaches, a second, in the runtime at hand."""
    import torch

    if torch.cuda.is_available():
        matrix = torch.rand(MATRIX, MATRIX, device="cuda")
        return _best_flops(lambda: float((matrix @ matrix)[0, 0]))
    import openvino
    from openvino import opset15

    values = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    taken = opset15.parameter(values.shape, np.float32)
    product = opset15.matmul(taken, opset15.constant(values), False, False)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    model = openvino.Model([product], [taken])
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
    """Of a process and all that it started; what they share is counted for each (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return own * 1024 / 1e6 + sum(_resident_mb(int(child)) for child in children)


if __name__ == "__main__":
    main()
