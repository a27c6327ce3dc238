"""The MONAI bundle's RetinaNet as it is shipped and as Hounsfield runs it, with random weights.

Run as ``python -m benchmarks.retina``. Both ways look through one small window and are scaled by
the voxels of all the windows that a 512 x 512 x 300 study needs: convolutions cost the same for
every voxel, and the bundle's own window takes more memory than an ordinary computer has.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from hounsfield.data.phantom import PhantomSettings, make_phantom
from hounsfield.models.inference.retina_detector import window_xyz
from hounsfield.models.inference.runtimes import openvino_outputs
from hounsfield.models.networks.onnx_graph import network_graph
from hounsfield.models.networks.retina_net import (
    RETINA_GRAPH,
    SIZE_DIVISOR_XYZ,
    RetinaConfig,
    retina_net,
)
from hounsfield.models.store.bundle_import import SPACING_MM
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.parallel import available_processors
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

TIMED_XYZ = (128, 128, 64)
SEED, REPEATS = 900_000, 3


def main() -> None:
    """Compares both ways."""
    compare()


def compare() -> float:
    """Prints seconds a study for both ways and their ratio; returns those of the shipped way."""
    torch.set_num_threads(available_processors())
    plan = RetinaConfig()
    phantom = make_phantom(SEED, settings=PhantomSettings()).volume
    whole = [
        math.ceil(size * mm / wanted)
        for size, mm, wanted in zip(
            phantom.hu.shape[::-1], phantom.spacing_mm, SPACING_MM, strict=True
        )
    ]
    box = to_working_volume(phantom, find_lungs(phantom), spacing_mm=SPACING_MM).hu.shape[::-1]
    shipped = voxels_seen(whole, plan.window_xyz, plan.window_overlap)
    network = retina_net(plan).eval()
    shipped_voxel_s, our_voxel_s = seconds_a_voxel(network)
    shipped_s = shipped * shipped_voxel_s
    print(f"as shipped, series of {whole}: {shipped / 1e6:.0f} M voxels, {shipped_s:.0f} s, scaled")
    for name, window in (
        ("in one pass (16 GB)", padded(box)),
        ("in windows (8 GB)", window_xyz(box, plan)),
    ):
        voxels = voxels_seen(padded(box), window, plan.window_overlap)
        seconds = voxels * our_voxel_s
        told = f"{voxels / 1e6:.0f} M voxels, {seconds:.0f} s, scaled"
        print(f"our way, {name}, lung box of {list(box)}: {told}")
        print(f"  {shipped_s / seconds:.1f} times as fast (aim: 4)")
    return shipped_s


def padded(shape_xyz: Sequence[int]) -> list[int]:
    """The shape that the network takes instead."""
    pairs = zip(shape_xyz, SIZE_DIVISOR_XYZ, strict=True)
    return [-(-size // divisor) * divisor for size, divisor in pairs]


def voxels_seen(shape_xyz: Sequence[int], window: Sequence[int], overlap: float) -> int:
    """Voxels of all windows that cover a shape, each as often as it is looked at."""
    counts = (
        1 + max(0, math.ceil((size - part) / (part * (1 - overlap))))
        for size, part in zip(shape_xyz, window, strict=True)
    )
    return math.prod(counts) * math.prod(window)


def seconds_a_voxel(network: nn.Module) -> tuple[float, float]:
    """Of the shipped way, plain torch, and of ours, OpenVINO; they take turns, the best counts."""
    image = torch.rand(1, 1, *TIMED_XYZ)
    graph = network_graph(network, RETINA_GRAPH)
    weights = save(network.state_dict())
    answers = openvino_outputs(weights, graph, threads=available_processors())

    def by_torch() -> None:
        with torch.inference_mode():
            network(image)

    best = [math.inf, math.inf]
    for _ in range(REPEATS):
        for number, run in enumerate((by_torch, lambda: answers(image.numpy()))):
            started = time.perf_counter()
            run()
            best[number] = min(best[number], time.perf_counter() - started)
    shipped, ours = (seconds / math.prod(TIMED_XYZ) for seconds in best)
    return shipped, ours


if __name__ == "__main__":
    main()
